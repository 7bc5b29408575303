"""Drum patterns: compose hits, fills and ghost notes from a plan."""

from typing import List, NamedTuple

import numpy as np

from .plan import STEPS_PER_BAR, Plan

KICKS = {
    "rock": (0, 8, 10),
    "ballad rock": (0, 6, 8),
    "four on the floor": (0, 4, 8, 12),
    "half time": (0, 7, 10),
    "funk": (0, 3, 6, 10),
    "break": (0, 2, 10, 11),
    "shuffle": (0, 8, 11),
}
GHOSTLY = ("funk", "break", "shuffle")  # styles with ghost notes on the snare
FILL = ("snare", "high tom", "middle tom", "low tom")  # from high to low


class Hit(NamedTuple):
    """One stroke: time in seconds (within a bar: in steps), piece, and velocity from 0 to 1."""

    time: float
    piece: str
    velocity: float


def drum_hits(plan: Plan, rng: np.random.Generator) -> List[Hit]:
    """Compose all hits of a song; sections begin with a crash and end with a fill."""
    hits = []
    for bar in plan.bars_of("drums"):
        strokes = _groove(plan.drum_style, plan.sections[bar] == "chorus", rng)
        if plan.ends_section(bar) or rng.random() < 0.08:
            strokes = _with_fill(strokes, rng)
        if plan.begins_section(bar) and plan.sections[bar] != "intro":
            strokes.append(Hit(0, "crash", 1.0))
        for step, piece, velocity in strokes:
            time = plan.time_of(bar, step) + rng.normal(0, 0.004)
            hits.append(Hit(time, piece, min(1.0, velocity * rng.uniform(0.9, 1.05))))
    return hits


def _groove(style: str, loud: bool, rng: np.random.Generator) -> List[Hit]:
    """One bar of a style; `loud` allows the ride cymbal and shakers."""
    backbeats = (8,) if style == "half time" else (4, 12)
    kicks = [step for step in KICKS[style] if step == 0 or rng.random() < 0.9]
    strokes = [Hit(step, "kick", rng.uniform(0.85, 1.0)) for step in kicks]
    strokes += [Hit(step, "snare", rng.uniform(0.85, 1.0)) for step in backbeats]
    if style in GHOSTLY:
        ghosts = [step for step in (7, 9, 15) if rng.random() < 0.5]
        strokes += [Hit(step, "snare", rng.uniform(0.15, 0.35)) for step in ghosts]
    if style == "four on the floor" and loud:
        strokes += [Hit(step, "shaker", 0.8) for step in range(0, STEPS_PER_BAR, 2)]
    return strokes + _cymbals(style, loud, rng)


def _cymbals(style: str, loud: bool, rng: np.random.Generator) -> List[Hit]:
    """Hi-hat or ride on eighths or sixteenths, with accents on the beat and some open hats."""
    piece = "ride" if loud and rng.random() < 0.5 else "hat"
    every = 1 if style in ("funk", "break") and rng.random() < 0.6 else 2
    strokes = []
    for step in range(0, STEPS_PER_BAR, every):
        velocity = (0.95 if step % 4 == 0 else 0.65) * rng.uniform(0.8, 1.0)
        opened = step in (6, 14) and rng.random() < 0.35
        opened = opened or (style == "four on the floor" and step % 4 == 2)
        strokes.append(Hit(step, "open hat" if opened else piece, velocity))
    return strokes


def _with_fill(strokes: List[Hit], rng: np.random.Generator) -> List[Hit]:
    """Replace the last quarter of the bar by a run over the toms; the kick continues."""
    kept = [hit for hit in strokes if hit.time < 12 or hit.piece == "kick"]
    pieces = sorted(rng.integers(len(FILL), size=4)) if rng.random() < 0.5 else rng.permutation(4)
    return kept + [Hit(12 + i, FILL[piece], 0.7 + 0.08 * i) for i, piece in enumerate(pieces)]

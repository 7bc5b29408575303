"""Bass lines: compose notes that follow the chords of a plan."""

from typing import Callable, Dict, List, Tuple

import numpy as np

from .plan import Note, Plan
from .theory import chord_semitones, lowest_from

LOWEST = 28  # E1, the lowest string of a bass

# One bar of bass: (step, length in steps, pitch).
Bar = List[Tuple[int, float, int]]


def _eighths(root: int, third: int, next_root: int, rng: np.random.Generator) -> Bar:
    last = root if rng.random() < 0.5 else root + 7
    return [(step, 1.7, root if step < 14 else last) for step in range(0, 16, 2)]


def _root_and_fifth(root: int, third: int, next_root: int, rng: np.random.Generator) -> Bar:
    fifth, octave = root + 7, root + 12
    return [(0, 5, root), (6, 1.8, root), (8, 3.5, fifth), (12, 1.8, octave), (14, 1.8, fifth)]


def _octaves(root: int, third: int, next_root: int, rng: np.random.Generator) -> Bar:
    return [(step, 1.5, root + (12 if step % 4 == 2 else 0)) for step in range(0, 16, 2)]


def _walking(root: int, third: int, next_root: int, rng: np.random.Generator) -> Bar:
    approach = next_root + int(rng.choice([-2, -1, 1, 2]))
    return [(0, 3.6, root), (4, 3.6, third), (8, 3.6, root + 7), (12, 3.6, approach)]


def _long(root: int, third: int, next_root: int, rng: np.random.Generator) -> Bar:
    return [(0, 14, root), (14, 1.8, root + 7)]


def _syncopated(root: int, third: int, next_root: int, rng: np.random.Generator) -> Bar:
    fifth, octave = root + 7, root + 12
    start = [(0, 2.5, root), (3, 2.5, root), (6, 3.5, root)]
    return start + [(10, 1.5, octave), (12, 1.5, fifth), (14, 1.5, root)]


LINES: Dict[str, Callable[..., Bar]] = {
    "eighths": _eighths,
    "root and fifth": _root_and_fifth,
    "octaves": _octaves,
    "walking": _walking,
    "long": _long,
    "syncopated": _syncopated,
}


def bass_line(plan: Plan, rng: np.random.Generator) -> List[Note]:
    """Compose the notes of the bass; a few are left out, and all are slightly off the beat."""
    line = LINES[str(rng.choice(list(LINES)))]
    notes = []
    for bar in plan.bars_of("bass"):
        root = lowest_from(plan.root_of(bar), LOWEST)
        next_root = lowest_from(plan.root_of((bar + 1) % len(plan.chords)), LOWEST)
        tones = chord_semitones(plan.scale, plan.chords[bar])
        for step, length, pitch in line(root, root + tones[1] - tones[0], next_root, rng):
            if rng.random() < 0.96:
                start = plan.time_of(bar, step) + rng.normal(0, 0.004)
                duration = length * plan.step * rng.uniform(0.85, 1.0)
                notes.append(Note(start, duration, pitch, rng.uniform(0.75, 1.0)))
    return notes

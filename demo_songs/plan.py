"""The plan of a song, which all players share: tempo, key, form and chords."""

from dataclasses import dataclass
from typing import Dict, FrozenSet, List, NamedTuple, Tuple

import numpy as np

from .theory import DORIAN, MAJOR, MINOR, MIXOLYDIAN, PROGRESSIONS, Scale, chord_semitones
from .theory import semitones_of

STEPS_PER_BAR = 16
DRUM_STYLES = ("rock", "ballad rock", "four on the floor", "half time", "funk", "break", "shuffle")


class Note(NamedTuple):
    """One note: start and duration in seconds, MIDI pitch, velocity from 0 to 1."""

    start: float
    duration: float
    pitch: int
    velocity: float


@dataclass(frozen=True)
class Plan:
    """The plan of one song. Bars count from 0, a bar has 16 steps.

    Attributes:
        seconds: Length of the song.
        beat: Length of a quarter note in seconds.
        key: Pitch class of the tonic, 0 to 11.
        scale: Semitones of the scale.
        drum_style: One of DRUM_STYLES.
        swing: Delay of every second step, as a fraction of a step.
        upbeat: Seconds before the first bar.
        sections: "intro", "verse" or "chorus" for each bar.
        chords: Degree of the chord's root for each bar.
        seventh: Whether chords have a seventh.
        rests: Bars in which a source drops out.
    """

    seconds: float
    beat: float
    key: int
    scale: Scale
    drum_style: str
    swing: float
    upbeat: float
    sections: Tuple[str, ...]
    chords: Tuple[int, ...]
    seventh: bool
    rests: Dict[str, FrozenSet[int]]

    @property
    def step(self) -> float:
        """Length of a sixteenth note in seconds."""
        return self.beat / 4

    def time_of(self, bar: int, step: float) -> float:
        """Seconds from the start of the song to a step of a bar."""
        swing = self.swing * self.step if step % 2 else 0.0
        return self.upbeat + 4 * bar * self.beat + step * self.step + swing

    def root_of(self, bar: int) -> int:
        """Pitch of the root of a bar's chord, in the octave above MIDI pitch 0."""
        return self.key + semitones_of(self.scale, self.chords[bar])

    def chord_of(self, bar: int) -> List[int]:
        """Pitches of a bar's chord, in the octave above MIDI pitch 0."""
        tones = chord_semitones(self.scale, self.chords[bar], self.seventh)
        return [self.key + tone for tone in tones]

    def bars_of(self, source: str) -> List[int]:
        """Bars in which a source plays."""
        return [bar for bar in range(len(self.sections)) if bar not in self.rests[source]]

    def begins_section(self, bar: int) -> bool:
        """Whether the bar is the first of its section."""
        return bar == 0 or self.sections[bar - 1] != self.sections[bar]

    def ends_section(self, bar: int) -> bool:
        """Whether another section follows after the bar."""
        return bar + 1 < len(self.sections) and self.sections[bar + 1] != self.sections[bar]


def draw_plan(rng: np.random.Generator, seconds: float) -> Plan:
    """Draw the plan of a new song: 78 to 148 beats per minute, any key, one of four scales."""
    scale = (MAJOR, MINOR, DORIAN, MIXOLYDIAN)[rng.choice(4, p=[0.4, 0.35, 0.1, 0.15])]
    beat = 60.0 / rng.uniform(78, 148)
    style = str(rng.choice(DRUM_STYLES))
    swing = rng.uniform(0.3, 0.6) if style == "shuffle" else float(rng.choice([0.0, 0.0, 0.12]))
    sections = _draw_sections(rng, n_bars=int(np.ceil(seconds / (4 * beat))) + 1)
    return Plan(
        seconds=seconds,
        beat=beat,
        key=int(rng.integers(12)),
        scale=scale,
        drum_style=style,
        swing=swing,
        upbeat=rng.uniform(0.0, 0.5),
        sections=sections,
        chords=_draw_chords(rng, scale, sections),
        seventh=bool(rng.random() < 0.35),
        rests=_draw_rests(rng, sections),
    )


def _draw_sections(rng: np.random.Generator, n_bars: int) -> Tuple[str, ...]:
    """At most one bar of intro, then alternating verses and choruses of four bars."""
    sections = ["intro"] * int(rng.integers(2))
    order = ["verse", "chorus"] if rng.random() < 0.5 else ["chorus", "verse"]
    while len(sections) < n_bars:
        sections += [order[0]] * 4 + [order[1]] * 4
    return tuple(sections[:n_bars])


def _draw_chords(
    rng: np.random.Generator, scale: Scale, sections: Tuple[str, ...]
) -> Tuple[int, ...]:
    """One progression for verses and another for choruses, each starting with its section."""
    verse, chorus = (PROGRESSIONS[scale][i] for i in rng.permutation(len(PROGRESSIONS[scale]))[:2])
    start = sections.count("intro")
    return tuple(
        (chorus if section == "chorus" else verse)[(bar - start) % 4]
        for bar, section in enumerate(sections)
    )


def _draw_rests(rng: np.random.Generator, sections: Tuple[str, ...]) -> Dict[str, FrozenSet[int]]:
    """Some sources are silent in the intro; some drop out for one bar."""
    silent_intro = {"drums": 0.5, "bass": 0.6, "other": 0.0, "vocals": 1.0}
    drop_out = {"drums": 0.2, "bass": 0.2, "other": 0.15, "vocals": 0.5}
    rests = {}
    for source, chance in silent_intro.items():
        intro = range(sections.count("intro")) if rng.random() < chance else range(0)
        bar = rng.integers(len(sections)) if rng.random() < drop_out[source] else None
        rests[source] = frozenset(intro) | (frozenset() if bar is None else {int(bar)})
    return rests

"""Accompaniment: compose the notes of one instrument (guitar, keys, strings, brass) from a plan."""

from typing import Callable, Dict, List, Sequence

import numpy as np

from .plan import STEPS_PER_BAR, Note, Plan
from .theory import lowest_from

STRUMS = {"strum": (0, 2, 4, 6, 8, 10, 12, 14), "busy strum": (0, 2, 4, 5, 7, 9, 10, 12, 14, 15)}
# Starts and lengths, in steps, of syncopated chords.
COMPING = (
    ((0, 3), (3, 3), (6, 6), (12, 3)),
    ((0, 5), (6, 2), (10, 5)),
    ((2, 2), (8, 2), (11, 4)),
)
LOW_E = 40  # the lowest string of a guitar


class Player:
    """One instrument's part, bar by bar.

    Args:
        plan: The song.
        bottom: MIDI pitch from which chords are built.
        rng: Source of randomness in notes and timing.
    """

    def __init__(self, plan: Plan, bottom: int, rng: np.random.Generator):
        self.plan, self.bottom, self.rng = plan, bottom, rng
        self.order = rng.permutation(6)  # of notes in arpeggios, for the whole song
        self.melody_pitch = bottom + 4

    def chord(self, bar: int) -> List[int]:
        """The bar's chord in close position above `bottom`."""
        return sorted(lowest_from(pitch, self.bottom) for pitch in self.plan.chord_of(bar))

    def power_chord(self, bar: int) -> List[int]:
        """Root, fifth and octave, low on a guitar."""
        root = lowest_from(self.plan.root_of(bar), LOW_E)
        return [root, root + 7, root + 12]

    def note(self, bar: int, step: int, length: float, pitch: int, velocity: float) -> Note:
        """A note of `length` steps, a few milliseconds off the beat."""
        start = self.plan.time_of(bar, step) + self.rng.normal(0, 0.004)
        return Note(start, length * self.plan.step, pitch, velocity)

    def chords(self, bar: int, steps: Sequence[int], length: float, chord: List[int]):
        """A chord at each of the steps."""
        velocities = self.rng.uniform(0.7, 0.95, len(steps))
        return [
            self.note(bar, step, length, pitch, velocity)
            for step, velocity in zip(steps, velocities)
            for pitch in chord
        ]

    def strum(self, bar: int, steps: Sequence[int]) -> List[Note]:
        """Strum six strings one after another: down on the beat, up between beats."""
        chord = self.chord(bar)
        strings = chord + [pitch + 12 for pitch in chord]
        notes = []
        for step in steps:
            down = step % 4 == 0
            velocity = (0.9 if down else 0.6) * self.rng.uniform(0.8, 1.0)
            for i, pitch in enumerate(strings if down else strings[::-1]):
                note = self.note(bar, step, 1.6, pitch, velocity)
                notes.append(note._replace(start=note.start + 0.008 * i))
        return notes

    def arpeggio(self, bar: int, every: int) -> List[Note]:
        """The chord's tones one after another, always in the same order."""
        chord = (self.chord(bar) * 2)[:6]
        tones = [pitch + 12 * (i >= len(set(chord))) for i, pitch in enumerate(chord)]
        return [
            self.note(bar, step, 3, tones[self.order[i % 6]], self.rng.uniform(0.7, 1.0))
            for i, step in enumerate(range(0, STEPS_PER_BAR, every))
        ]

    def comping(self, bar: int) -> List[Note]:
        """Chords in one of three rhythms."""
        rhythm = COMPING[self.rng.integers(len(COMPING))]
        bars = [self.chords(bar, [step], 0.9 * length, self.chord(bar)) for step, length in rhythm]
        return [note for chord in bars for note in chord]

    def power_eighths(self, bar: int) -> List[Note]:
        """Power chords on eighths; most of the chords off the beat are palm-muted."""
        notes = []
        for step in range(0, STEPS_PER_BAR, 2):
            damped = step % 4 and self.rng.random() < 0.6
            notes += self.chords(bar, [step], 0.7 if damped else 1.8, self.power_chord(bar))
        return notes

    def counter_melody(self, bar: int) -> List[Note]:
        """A random walk over the tones of the chords."""
        tones = [pitch + octave for octave in (0, 12) for pitch in self.chord(bar)]
        notes, step = [], int(self.rng.choice([0, 2, 4]))
        while step < STEPS_PER_BAR - 1:
            length = int(self.rng.choice([2, 2, 3, 4, 6]))
            goal = self.melody_pitch + self.rng.integers(-4, 5) + 0.25
            self.melody_pitch = min(tones, key=lambda pitch: abs(pitch - goal))
            velocity = self.rng.uniform(0.7, 1.0)
            notes.append(self.note(bar, step, 0.9 * length, self.melody_pitch, velocity))
            step += length
        return notes


#: Rhythms that a player can play in one bar, by name.
RHYTHMS: Dict[str, Callable[[Player, int], List[Note]]] = {
    "strum": lambda player, bar: player.strum(bar, STRUMS["strum"]),
    "busy strum": lambda player, bar: player.strum(bar, STRUMS["busy strum"]),
    "arpeggio": lambda player, bar: player.arpeggio(bar, every=2),
    "fast arpeggio": lambda player, bar: player.arpeggio(bar, every=1),
    "held": lambda player, bar: player.chords(bar, [0], 15.5, player.chord(bar)),
    "quarters": lambda player, bar: player.chords(bar, [0, 4, 8, 12], 3.6, player.chord(bar)),
    "off-beats": lambda player, bar: player.chords(bar, [2, 6, 10, 14], 1.3, player.chord(bar)),
    "power chords": lambda player, bar: player.chords(bar, [0], 15.5, player.power_chord(bar)),
    "power eighths": Player.power_eighths,
    "comping": Player.comping,
    "counter-melody": Player.counter_melody,
}


def accompaniment(
    plan: Plan, rhythm: str, bottom: int, sections: Sequence[str], rng: np.random.Generator
) -> List[Note]:
    """Compose the notes of one instrument.

    Args:
        plan: The song.
        rhythm: One of RHYTHMS.
        bottom: MIDI pitch from which chords are built.
        sections: Sections in which the instrument plays.
        rng: Source of randomness in notes and timing.

    Returns:
        The notes, in the order of the bars.
    """
    player = Player(plan, bottom, rng)
    bars = [bar for bar in plan.bars_of("other") if plan.sections[bar] in sections]
    return [note for bar in bars for note in RHYTHMS[rhythm](player, bar)]

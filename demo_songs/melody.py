"""Sung melodies: compose syllables with recurring motifs from a plan."""

from typing import Dict, List, NamedTuple, Tuple

import numpy as np

from .phonemes import CONSONANTS, VOWELS
from .plan import STEPS_PER_BAR, Plan
from .theory import chord_semitones


class Syllable(NamedTuple):
    """A consonant and a sung vowel.

    Attributes:
        start, duration: Of the vowel, in seconds; the consonant comes before.
        pitch: MIDI number.
        consonant: One of CONSONANTS, or "" if there is none.
        vowel: One of VOWELS.
        velocity: Loudness from 0 to 1.
        section: Section of the song.
    """

    start: float
    duration: float
    pitch: int
    consonant: str
    vowel: str
    velocity: float
    section: str


class _MotifNote(NamedTuple):
    """A note of a motif: step in the bar, length in steps, leap of the melody, and its text."""

    step: int
    length: int
    leap: int
    consonant: str
    vowel: str


def sung_melody(plan: Plan, lowest: int, highest: int, rng: np.random.Generator) -> List[Syllable]:
    """Compose the syllables of a song.

    Notes that are long or on the beat are tones of the chord, others of the scale.

    Args:
        plan: The song.
        lowest, highest: Range of the voice in MIDI pitches.
        rng: Source of randomness.

    Returns:
        The syllables, in the order of their starts.
    """
    centre = rng.uniform(lowest + 5, highest - 5)
    motifs: Dict[Tuple[str, int], List[_MotifNote]] = {}
    syllables = []
    for bar in plan.bars_of("vocals"):
        section = plan.sections[bar]
        place = (section, bar % 2)
        if place not in motifs or rng.random() < 0.35:
            motifs[place] = _draw_motif(section, answer=bar % 2 == 1, rng=rng)
        previous = centre + (2 if section == "chorus" else 0)
        in_chord, in_scale = _pitches(plan, bar, lowest, highest)
        for note in motifs[place]:
            pitches = in_chord if note.step % 4 == 0 or note.length >= 4 else in_scale
            goal = previous + 1.8 * note.leap
            pitch = min(pitches, key=lambda candidate: abs(candidate - goal))
            previous = 0.75 * pitch + 0.25 * centre
            syllables.append(_sing_note(plan, bar, note, pitch, rng))
    return [syllable for syllable in syllables if syllable.start < plan.seconds - 0.15]


def harmony(
    plan: Plan, melody: List[Syllable], interval: int, rng: np.random.Generator
) -> List[Syllable]:
    """A second voice, `interval` tones of the scale above a melody, less exactly in time."""
    scale = {(plan.key + tone) % 12 for tone in plan.scale}
    voice = []
    for syllable in melody:
        above = [syllable.pitch + i for i in range(13) if (syllable.pitch + i) % 12 in scale]
        voice.append(
            syllable._replace(start=syllable.start + rng.normal(0, 0.015), pitch=above[interval])
        )
    return voice


def _pitches(plan: Plan, bar: int, lowest: int, highest: int) -> Tuple[List[int], List[int]]:
    """Pitches in the voice's range that belong to the bar's chord, and those of the scale."""
    chord = {tone % 12 for tone in chord_semitones(plan.scale, plan.chords[bar])}
    voice = range(lowest, highest + 1)
    in_chord = [pitch for pitch in voice if (pitch - plan.key) % 12 in chord]
    return in_chord, [pitch for pitch in voice if (pitch - plan.key) % 12 in plan.scale]


def _draw_motif(section: str, answer: bool, rng: np.random.Generator) -> List[_MotifNote]:
    """Draw the notes of one bar; answers end early, and choruses have longer notes."""
    lengths = (1, 2, 2, 3, 4, 6) if section == "verse" else (2, 2, 3, 4, 6, 8)
    step = int(rng.choice([0, 0, 2, 4]))
    end = int(rng.choice([10, 12, 14])) if answer else STEPS_PER_BAR
    motif = []
    while step < end - 1:
        length = min(int(rng.choice(lengths)), STEPS_PER_BAR - step)
        consonant = str(rng.choice(list(CONSONANTS))) if rng.random() < 0.85 else ""
        vowel = str(rng.choice(list(VOWELS)))
        motif.append(_MotifNote(step, length, int(rng.integers(-2, 3)), consonant, vowel))
        step += length + (2 if rng.random() < 0.1 else 0)
    return motif


def _sing_note(
    plan: Plan, bar: int, note: _MotifNote, pitch: int, rng: np.random.Generator
) -> Syllable:
    """The syllable of a motif's note in a bar of the song."""
    softest, loudest = (0.7, 0.9) if plan.sections[bar] == "verse" else (0.8, 1.0)
    return Syllable(
        start=plan.time_of(bar, note.step) + rng.normal(0, 0.012),
        duration=note.length * plan.step * rng.uniform(0.86, 1.0),
        pitch=pitch,
        consonant=note.consonant,
        vowel=note.vowel,
        velocity=rng.uniform(softest, loudest),
        section=plan.sections[bar],
    )

"""The gestures of a singer: slow curves of pitch, loudness, breath and formants for syllables.

Curves have CONTROL_RATE values per second.
"""

from dataclasses import dataclass
from typing import List

import numpy as np

from .melody import Syllable
from .phonemes import CONSONANTS, VOWELS

CONTROL_RATE = 200


@dataclass(frozen=True)
class Singer:
    """One voice.

    Attributes:
        lowest, highest: Range in MIDI pitches.
        size: Formants as a multiple of an adult male's; above 1 for shorter throats.
        bandwidth: Bandwidths of the formants as a multiple of the usual ones.
        tilt: Extra slope of the spectrum below the -6 dB per octave of a sawtooth; negative is
            brighter.
        ring: Strength of the singer's formant near 3 kHz.
        air: Gain in dB far above 4 kHz, as producers add it.
        breath: Level of breath noise relative to the voice.
        sharpness: Loudness of consonants.
        vibrato_depth: In semitones.
        vibrato_rate: In Hz.
        glide: Seconds from one pitch to the next.
        slides: How often the end of a note slides away, from 0 to 1.
        sloppiness: Standard deviation of the pitch of a note, in semitones.
    """

    lowest: int
    highest: int
    size: float
    bandwidth: float
    tilt: float
    ring: float
    air: float
    breath: float
    sharpness: float
    vibrato_depth: float
    vibrato_rate: float
    glide: float
    slides: float
    sloppiness: float


@dataclass
class Gestures:
    """The curves of a song.

    Attributes:
        pitch: MIDI pitches, (N,).
        loudness: From 0 to 1, (N,).
        breath: Loudness of breath noise, (N,).
        formants: In Hz, (N, 5).
    """

    pitch: np.ndarray
    loudness: np.ndarray
    breath: np.ndarray
    formants: np.ndarray


def draw_singer(rng: np.random.Generator) -> Singer:
    """Draw a random singer, a woman or a man."""
    female = rng.random() < 0.5
    return Singer(
        lowest=57 if female else 47,
        highest=74 if female else 65,
        size=rng.uniform(1.1, 1.22) if female else rng.uniform(0.93, 1.05),
        bandwidth=rng.uniform(0.9, 1.5),
        tilt=rng.uniform(-0.6, 0.1),
        ring=rng.uniform(0.0, 2.0),
        air=rng.uniform(0.0, 8.0),
        breath=rng.uniform(0.2, 1.0),
        sharpness=rng.uniform(0.3, 0.8),
        vibrato_depth=rng.uniform(0.15, 0.75),
        vibrato_rate=rng.uniform(4.8, 6.6),
        glide=rng.uniform(0.04, 0.13),
        slides=rng.uniform(0.2, 1.0),
        sloppiness=rng.uniform(0.02, 0.12),
    )


def perform(
    syllables: List[Syllable], singer: Singer, seconds: float, rng: np.random.Generator
) -> Gestures:
    """Compute the curves with which a singer sings syllables.

    Args:
        syllables: At least one.
        singer: The voice.
        seconds: Length of the song.
        rng: Source of randomness.
    """
    n_controls = int(seconds * CONTROL_RATE) + 1
    gestures = Gestures(
        pitch=np.full(n_controls, np.nan),
        loudness=np.zeros(n_controls),
        breath=np.zeros(n_controls),
        formants=np.full((n_controls, 5), np.nan),
    )
    vibrato, end = np.zeros(n_controls), 0.0
    for syllable in syllables:
        begin = max(0, int(syllable.start * CONTROL_RATE))
        span = slice(begin, int((syllable.start + syllable.duration) * CONTROL_RATE))
        sung = _time_in(gestures.pitch[span])
        if sung.size < 4:
            continue
        gestures.pitch[span] = _note_pitch(syllable, sung, singer, syllable.start - end > 0.12, rng)
        gestures.loudness[span] = _note_loudness(syllable, sung)
        gestures.breath[span] = singer.breath * syllable.velocity
        gestures.formants[span] = VOWELS[syllable.vowel]
        vibrato[span] = np.clip((sung - 0.18) / 0.25, 0, 1) * singer.vibrato_depth
        _articulate(gestures, syllable, begin)
        end = syllable.start + syllable.duration
    return _smoothed(gestures, vibrato, singer, rng)


def _time_in(curve: np.ndarray) -> np.ndarray:
    """Seconds since the start of a piece of a curve."""
    return np.arange(curve.size) / CONTROL_RATE


def _note_pitch(
    syllable: Syllable, sung: np.ndarray, singer: Singer, opens: bool, rng: np.random.Generator
) -> np.ndarray:
    """Pitch of one note: it rises into the start of a phrase, and sometimes slides away."""
    pitch = np.full(sung.size, syllable.pitch + rng.normal(0, singer.sloppiness))
    if opens:
        pitch -= rng.uniform(0, 1.5) * np.clip(1 - sung / 0.08, 0, 1)
    if rng.random() < 0.35 * singer.slides and syllable.duration > 0.15:
        starts = rng.uniform(0.5, 0.7)
        away = float(rng.choice([-1, -2, -3, 2]))
        pitch += away * np.clip((sung / syllable.duration - starts) / (1 - starts), 0, 1)
    return pitch


def _note_loudness(syllable: Syllable, sung: np.ndarray) -> np.ndarray:
    """Loudness of one note: it swells a little and ends within 50 ms."""
    swell = 0.85 + 0.15 * np.sin(np.pi * np.minimum(sung / syllable.duration, 1))
    ending = 0.35 if syllable.duration < 0.5 else 0.1
    left = np.clip((sung[-1] - sung) / 0.05, 0, 1)
    return syllable.velocity * swell * (ending + (1 - ending) * left)


def _articulate(gestures: Gestures, syllable: Syllable, begin: int) -> None:
    """Write a syllable's consonant into the curves, in place, before the vowel at `begin`."""
    if syllable.consonant == "":
        return
    consonant = CONSONANTS[syllable.consonant]
    first = max(0, begin - int(0.6 * consonant.seconds * CONTROL_RATE))
    gestures.loudness[first:begin] = consonant.voicing * syllable.velocity
    if consonant.formants is None:
        gestures.formants[first:begin] = VOWELS[syllable.vowel]
    else:
        gestures.formants[first : begin + 2] = consonant.formants
    if consonant.stop:
        gestures.loudness[max(0, first - 6) : first] *= 0.05


def _smoothed(
    gestures: Gestures, vibrato: np.ndarray, singer: Singer, rng: np.random.Generator
) -> Gestures:
    """Fill gaps, smooth jumps, and add vibrato, drift and jitter to the pitch."""
    n_controls = vibrato.size
    drift = smooth(rng.standard_normal(n_controls), 0.4)
    jitter = smooth(rng.standard_normal(n_controls), 0.03)
    sway = np.sin(2 * np.pi * np.cumsum(singer.vibrato_rate * (1 + 0.025 * drift)) / CONTROL_RATE)
    pitch = smooth(_without_gaps(gestures.pitch), singer.glide)
    formants = [smooth(_without_gaps(formant), 0.06) for formant in gestures.formants.T]
    shimmer = 1 + 0.08 * smooth(rng.standard_normal(n_controls), 0.02)
    return Gestures(
        pitch=pitch + vibrato * sway + 0.025 * drift + 0.06 * jitter,
        loudness=smooth(gestures.loudness, 0.03) * shimmer,
        breath=smooth(gestures.breath, 0.03),
        formants=singer.size * np.stack(formants, axis=1),
    )


def _without_gaps(curve: np.ndarray) -> np.ndarray:
    """Interpolate a curve linearly where it is not set (NaN)."""
    is_set = np.flatnonzero(~np.isnan(curve))
    return np.interp(np.arange(curve.size), is_set, curve[is_set])


def smooth(curve: np.ndarray, seconds: float) -> np.ndarray:
    """Average a curve with a Hann window of a duration in seconds."""
    length = max(3, int(seconds * CONTROL_RATE) | 1)
    window = np.hanning(length + 2)[1:-1]
    padded = np.pad(curve, length // 2, "edge")
    return np.convolve(padded, window / window.sum(), "valid")

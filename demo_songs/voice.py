"""The singer: render syllables as a mono voice (T,).

A source-filter model: a buzz at the pitch, breath noise and consonants are filtered frame by frame
by a throat whose formants move from sound to sound. The higher formants are fixed and evenly
spaced, and extend voice and breath to the highest frequencies.
"""

from typing import List

import numpy as np
from scipy import fft

from .gestures import CONTROL_RATE, Gestures, Singer, perform
from .melody import Syllable
from .phonemes import BANDWIDTHS, CONSONANTS
from .synthesis import SAMPLE_RATE, sawtooth, time_axis
from .theory import frequency_of

N_FFT = 1024
HOP = 256
BREATH_LEVEL = 0.012  # relative to a voice of loudness 1
HISS_LEVEL = 0.2
_WINDOW = np.sqrt(np.hanning(N_FFT + 1)[:-1]).astype(np.float32)


def sing(
    syllables: List[Syllable], singer: Singer, seconds: float, rng: np.random.Generator
) -> np.ndarray:
    """Sing syllables, with silence between them.

    Args:
        syllables: May be empty.
        singer: The voice.
        seconds: Length of the song.
        rng: Source of randomness.

    Returns:
        (T,), with loud parts near 1.
    """
    n_samples = int(seconds * SAMPLE_RATE)
    if not syllables:
        return np.zeros(n_samples)
    gestures = perform(syllables, singer, seconds, rng)
    buzz = _spectra(_buzz(gestures, seconds))
    noise = _spectra(rng.standard_normal(n_samples, dtype=np.float32))
    times = np.arange(len(buzz)) * HOP / SAMPLE_RATE
    frames = _sampled(gestures, times)
    frequencies = np.fft.rfftfreq(N_FFT, 1 / SAMPLE_RATE).astype(np.float32)
    throat = _throat(frames, singer, frequencies)
    voiced = buzz * throat * frames.loudness[:, None] * _colour(frames, singer, frequencies)
    voiced /= np.percentile(np.abs(_waveform(voiced, n_samples)), 98)
    breath = frames.breath[:, None] * np.minimum(throat, 20) * _rising(frequencies, 1500)
    hiss = singer.sharpness * _consonants(syllables, times, frequencies)
    shaped = voiced + noise * (BREATH_LEVEL * breath + HISS_LEVEL * hiss)
    return _waveform(shaped * _air(singer, frequencies), n_samples)


def _buzz(gestures: Gestures, seconds: float) -> np.ndarray:
    """A sawtooth at the pitch of the voice, (T,)."""
    t = time_axis(seconds)
    controls = np.arange(gestures.pitch.size) / CONTROL_RATE
    frequency = np.interp(t, controls, frequency_of(gestures.pitch))
    return sawtooth(np.cumsum(frequency) / SAMPLE_RATE, frequency).astype(np.float32)


def _sampled(gestures: Gestures, times: np.ndarray) -> Gestures:
    """The curves at the times of the frames, in single precision."""
    controls = np.arange(gestures.pitch.size) / CONTROL_RATE

    def sampled(curve: np.ndarray) -> np.ndarray:
        return np.interp(times, controls, curve).astype(np.float32)

    return Gestures(
        pitch=sampled(gestures.pitch),
        loudness=sampled(gestures.loudness),
        breath=sampled(gestures.breath),
        formants=np.stack([sampled(formant) for formant in gestures.formants.T], axis=1),
    )


def _resonance(frequencies: np.ndarray, centre, bandwidth) -> np.ndarray:
    """Gain of a resonance: 1 far below its centre, falling above. All in Hz."""
    squared = frequencies**2
    return centre**2 / np.sqrt((centre**2 - squared) ** 2 + bandwidth**2 * squared)


def _tube(frequencies: np.ndarray, spacing: float) -> np.ndarray:
    """Gain of a neutral throat, a tube with a formant every `spacing` Hz from spacing / 2."""
    x = np.pi * frequencies / spacing
    y = np.pi * _tube_bandwidth(frequencies) / (2 * spacing)
    return 1 / np.sqrt(np.cos(x) ** 2 + np.sinh(y) ** 2)


def _tube_bandwidth(frequencies):
    """Bandwidth in Hz of the formants of the tube."""
    return 80 + 0.03 * frequencies


def _throat(frames: Gestures, singer: Singer, frequencies: np.ndarray) -> np.ndarray:
    """Gain of the throat in each frame, (N, F): a tube with its lowest five formants moved."""
    spacing = 1000.0 * singer.size
    at_rest = (np.arange(len(BANDWIDTHS)) + 0.5) * spacing
    gain = _tube(frequencies, spacing)
    for centre in at_rest:
        gain = gain / _resonance(frequencies, centre, _tube_bandwidth(centre))
    for centres, bandwidth in zip(frames.formants.T, BANDWIDTHS):
        gain = gain * _resonance(frequencies, centres[:, None], singer.bandwidth * bandwidth)
    return gain


def _colour(frames: Gestures, singer: Singer, frequencies: np.ndarray) -> np.ndarray:
    """Gain of the glottis, brighter when louder, with the singer's formant, (N, F)."""
    octaves = np.log2(np.maximum(frequencies, 60.0) / 150.0)
    tilt = singer.tilt - 0.35 * (frames.loudness[:, None] - 0.8)
    ring = singer.ring * np.exp(-(((frequencies - 3000 * singer.size) / 600) ** 2))
    return 2.0 ** (-tilt * octaves) * (1 + ring)


def _air(singer: Singer, frequencies: np.ndarray) -> np.ndarray:
    """Gain of an equaliser that boosts frequencies above 4 kHz, (F,)."""
    return 10 ** (singer.air / 20 * _rising(frequencies**2, 4000.0**2))


def _rising(frequencies: np.ndarray, corner: float) -> np.ndarray:
    """Gain that rises from 0 to 1 around a corner in Hz."""
    return frequencies / (frequencies + corner)


def _consonants(
    syllables: List[Syllable], times: np.ndarray, frequencies: np.ndarray
) -> np.ndarray:
    """Gain of the noise of all consonants in each frame, (N, F)."""
    gain = np.zeros((times.size, frequencies.size), dtype=np.float32)
    for syllable in syllables:
        consonant = CONSONANTS.get(syllable.consonant)
        if consonant is None or consonant.noise == 0:
            continue
        low, high = consonant.band
        band = 1 / (1 + (low / np.maximum(frequencies, 1)) ** 6) / (1 + (frequencies / high) ** 6)
        middle = syllable.start - 0.1 * consonant.seconds
        shape = np.cos(np.pi * (times - middle) / (consonant.seconds + 2 * HOP / SAMPLE_RATE))
        near = np.abs(times - middle) < 0.5 * consonant.seconds + HOP / SAMPLE_RATE
        gain[near] += consonant.noise * syllable.velocity * shape[near, None] ** 2 * band
    return gain


def _spectra(signal: np.ndarray) -> np.ndarray:
    """Spectra of frames centred at the multiples of HOP, (N, F)."""
    padded = np.pad(signal, N_FFT // 2 + HOP)[HOP:]
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]
    return fft.rfft(frames * _WINDOW, axis=1)


def _waveform(spectra: np.ndarray, n_samples: int) -> np.ndarray:
    """Overlap-add of frames, the inverse of `_spectra`, (n_samples,)."""
    frames = fft.irfft(spectra, N_FFT, axis=1) * _WINDOW
    overlap = N_FFT // HOP
    blocks = np.zeros((len(frames) + overlap, HOP), dtype=np.float32)
    for i in range(overlap):
        blocks[i : i + len(frames)] += frames[:, i * HOP : (i + 1) * HOP]
    return blocks.ravel()[N_FFT // 2 :][:n_samples] * 2 / overlap

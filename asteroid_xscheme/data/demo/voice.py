"""The singer: syllables in, a mono voice (T,) out.

A source-filter model: a buzz at the pitch and noise of the breath and of consonants, shaped frame
by frame by formants that move from sound to sound. Fixed higher formants, one each 1.1 kHz as in a
throat of 16 cm, carry voice and breath up to 18 kHz.
"""

from typing import List

import numpy as np

from .gestures import CONTROL_RATE, Gestures, Singer, perform
from .melody import Syllable
from .phonemes import BANDWIDTHS, CONSONANTS
from .synthesis import SAMPLE_RATE, sawtooth, time_axis
from .theory import frequency_of

N_FFT = 1024
HOP = 256
_HIGHER_FORMANTS = np.arange(5500.0, 18000.0, 1100.0)  # Hz
_WINDOW = np.sqrt(np.hanning(N_FFT + 1)[:-1])


def sing(
    syllables: List[Syllable], singer: Singer, seconds: float, rng: np.random.Generator
) -> np.ndarray:
    """A voice that sings the syllables; silence where there are none.

    Returns:
        (T,), its loud parts near 1.
    """
    n_samples = int(seconds * SAMPLE_RATE)
    if not syllables:
        return np.zeros(n_samples)
    gestures = perform(syllables, singer, seconds, rng)
    buzz = _spectra(_buzz(gestures, seconds))
    noise = _spectra(rng.standard_normal(n_samples))
    times = np.arange(len(buzz)) * HOP / SAMPLE_RATE
    frames = _sampled(gestures, times)
    frequencies = np.fft.rfftfreq(N_FFT, 1 / SAMPLE_RATE)
    throat = _throat(frames, singer, frequencies)
    voiced = buzz * throat * frames.loudness[:, None] * _colour(frames, singer, frequencies)
    breath = 0.02 * frames.breath[:, None] * np.minimum(throat, 20) * _rising(frequencies, 1500)
    loud = np.percentile(np.abs(_waveform(voiced, n_samples)), 98)
    hiss = _consonants(syllables, times, frequencies)
    shaped = voiced / loud + noise * (0.12 * breath + 0.12 * singer.sharpness * hiss)
    return _waveform(shaped, n_samples)


def _buzz(gestures: Gestures, seconds: float) -> np.ndarray:
    """A sawtooth at the pitch of the voice, (T,)."""
    t = time_axis(seconds)
    controls = np.arange(gestures.pitch.size) / CONTROL_RATE
    frequency = np.interp(t, controls, frequency_of(gestures.pitch))
    return sawtooth(np.cumsum(frequency) / SAMPLE_RATE, frequency)


def _sampled(gestures: Gestures, times: np.ndarray) -> Gestures:
    """The curves at the times of the frames."""
    controls = np.arange(gestures.pitch.size) / CONTROL_RATE
    formants = [np.interp(times, controls, formant) for formant in gestures.formants.T]
    return Gestures(
        pitch=np.interp(times, controls, gestures.pitch),
        loudness=np.interp(times, controls, gestures.loudness),
        breath=np.interp(times, controls, gestures.breath),
        formants=np.stack(formants, axis=1),
    )


def _resonance(frequencies: np.ndarray, centre, bandwidth) -> np.ndarray:
    """Gain of a resonance: 1 far below its centre, falling above. All in Hz."""
    squared = frequencies**2
    return centre**2 / np.sqrt((centre**2 - squared) ** 2 + bandwidth**2 * squared)


def _throat(frames: Gestures, singer: Singer, frequencies: np.ndarray) -> np.ndarray:
    """Gain of all formants in each frame, (N, F)."""
    gain = np.ones(frequencies.size)
    for centre in singer.size * _HIGHER_FORMANTS:
        gain = gain * _resonance(frequencies, centre, 0.1 * centre)
    for centres, bandwidth in zip(frames.formants.T, BANDWIDTHS):
        gain = gain * _resonance(frequencies, centres[:, None], singer.bandwidth * bandwidth)
    return gain


def _colour(frames: Gestures, singer: Singer, frequencies: np.ndarray) -> np.ndarray:
    """Gain of the glottis: brighter where it is louder, with the singer's formant, (N, F)."""
    octaves = np.log2(np.maximum(frequencies, 60.0) / 150.0)
    tilt = singer.tilt - 0.35 * (frames.loudness[:, None] - 0.8)
    ring = singer.ring * np.exp(-(((frequencies - 3000 * singer.size) / 600) ** 2))
    return 2.0 ** (-tilt * octaves) * (1 + ring)


def _rising(frequencies: np.ndarray, corner: float) -> np.ndarray:
    """Gain that rises from 0 to 1 around a corner in Hz."""
    return frequencies / (frequencies + corner)


def _consonants(
    syllables: List[Syllable], times: np.ndarray, frequencies: np.ndarray
) -> np.ndarray:
    """Gain of the noise of all consonants in each frame, (N, F)."""
    gain = np.zeros((times.size, frequencies.size))
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
    return np.fft.rfft(frames * _WINDOW, axis=1)


def _waveform(spectra: np.ndarray, n_samples: int) -> np.ndarray:
    """Overlap-add of frames, the inverse of `_spectra`, (n_samples,)."""
    frames = np.fft.irfft(spectra, N_FFT, axis=1) * _WINDOW
    overlap = N_FFT // HOP
    blocks = np.zeros((len(frames) + overlap, HOP))
    for i in range(overlap):
        blocks[i : i + len(frames)] += frames[:, i * HOP : (i + 1) * HOP]
    return blocks.ravel()[N_FFT // 2 :][:n_samples] * 2 / overlap

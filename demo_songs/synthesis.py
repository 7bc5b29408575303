"""Oscillators, strings, envelopes and filters for mono signals (T,) at 44.1 kHz."""

import numpy as np
from scipy.signal import butter, sosfilt

SAMPLE_RATE = 44100


def time_axis(seconds: float) -> np.ndarray:
    """Times in seconds of all samples of a signal with this duration, (T,)."""
    return np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def fade(t: np.ndarray, decay: float) -> np.ndarray:
    """Exponential decay to 1/e in `decay` seconds."""
    return np.exp(-t / decay)


def envelope(
    t: np.ndarray,
    hold: float,
    attack: float,
    release: float,
    decay: float = 3.0,
    sustain: float = 1.0,
) -> np.ndarray:
    """Envelope of a note: it rises, decays to the sustained level, and ends after `hold` seconds.

    Args:
        t: Times in seconds, (T,).
        hold: Time of release.
        attack, decay, release: Durations in seconds.
        sustain: Level after the decay, from 0 to 1.

    Returns:
        (T,) gains.
    """
    falling = sustain + (1 - sustain) * np.exp(-np.maximum(t - attack, 0) / (decay / 3))
    released = np.exp(-np.maximum(t - hold, 0) / (release / 4))
    return np.where(t < attack, t / attack, falling) * released


def filtered(signal: np.ndarray, kind: str, cutoff, order: int = 2) -> np.ndarray:
    """Apply a Butterworth filter along the last axis.

    Args:
        signal: (..., T).
        kind: "low", "high" or "band".
        cutoff: Cutoff in Hz; a pair for "band".
        order: Order of the filter; each adds 6 dB per octave.

    Returns:
        (..., T).
    """
    relative = np.clip(np.asarray(cutoff, dtype=float) / (SAMPLE_RATE / 2), 1e-4, 0.98)
    return sosfilt(butter(order, relative, kind, output="sos"), signal)


def sawtooth(phase: np.ndarray, frequency) -> np.ndarray:
    """Sawtooth with little aliasing, because a polynomial smooths its steps (PolyBLEP).

    Source: V. Valimaki et al., "Antialiasing oscillators in subtractive synthesis", IEEE Signal
    Processing Magazine 24(2), 2007.

    Args:
        phase: In cycles, (T,).
        frequency: In Hz, a number or (T,).
    """
    position = phase % 1.0
    width = frequency / SAMPLE_RATE
    after, before = position / width, (position - 1) / width
    correction = np.where(after < 1, 2 * after - after**2 - 1, 0.0)
    correction += np.where(before > -1, before**2 + 2 * before + 1, 0.0)
    return 2 * position - 1 - correction


def plucked_string(
    frequency: float,
    seconds: float,
    rng: np.random.Generator,
    cutoff: float,
    damping: float,
    pick: float,
) -> np.ndarray:
    """Plucked string: a period of noise in a damping loop.

    Source: K. Karplus and A. Strong, "Digital synthesis of plucked-string and drum timbres",
    Computer Music Journal 7(2), 1983. Here the loop is a gain per harmonic, and its powers give all
    periods at once in the frequency domain.

    Args:
        frequency: In Hz.
        seconds: Duration.
        rng: Source of the noise.
        cutoff: Frequency in Hz above which the pluck falls by 12 dB per octave.
        damping: Decay rate at 1 kHz, per second; higher frequencies decay faster.
        pick: Position of the pluck, as a fraction of the string.

    Returns:
        (T,), with a peak of 1.
    """
    n_samples = int(seconds * SAMPLE_RATE)
    period = max(2, int(np.ceil(SAMPLE_RATE / frequency)))
    number = np.arange(period // 2 + 1)
    harmonic = number * frequency
    pluck = np.exp(2j * np.pi * rng.random(number.size)) * np.sin(np.pi * number * pick)
    pluck /= 1 + (harmonic / cutoff) ** 2
    rate = 0.8 + damping * (harmonic / 1000) ** 1.5
    speed = period * frequency / SAMPLE_RATE  # tunes the period, a whole number of samples
    turns = np.arange(int(np.ceil(n_samples * speed / period)) + 2)
    spectra = pluck * np.exp(-turns[:, None] * rate / frequency)
    ringing = np.fft.irfft(spectra, period, axis=-1).ravel()
    signal = np.interp(np.arange(n_samples) * speed, np.arange(ringing.size), ringing)
    return signal / np.abs(signal).max()

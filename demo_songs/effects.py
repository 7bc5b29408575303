"""Studio effects: panning, doubling, echo, reverberation, compression.

Signals at 44.1 kHz are (T,) if mono and (2, T) if stereo. None is changed in place.
"""

from typing import Union

import numpy as np
from scipy.signal import oaconvolve

from .synthesis import SAMPLE_RATE, filtered

_BLOCK = 32  # samples per linear piece of the compressor's gain


def panned(signal: Union[float, np.ndarray], position: float) -> np.ndarray:
    """Pan mono to stereo at constant power; position from -1 (left) to 1 (right).

    >>> panned(np.ones(1), -1.0).round(3).tolist()
    [[1.414], [0.0]]
    """
    angle = (position + 1) * np.pi / 4
    return np.sqrt(2) * np.array([np.cos(angle), np.sin(angle)])[:, None] * signal


def normalised(signal: np.ndarray) -> np.ndarray:
    """Scale a signal to a peak of 1; silence stays silent."""
    peak = np.abs(signal).max()
    return signal / peak if peak > 0 else signal


def saturated(signal: np.ndarray, drive: float) -> np.ndarray:
    """Scale a signal to a peak of 1 and distort it softly."""
    return np.tanh(drive * normalised(signal))


def double_tracked(signal: np.ndarray, seconds: float) -> np.ndarray:
    """Make stereo from mono with a delayed copy on the right, as if it were played twice."""
    shift = int(seconds * SAMPLE_RATE)
    return np.stack([signal, 0.9 * np.pad(signal, (shift, 0))[: signal.size]])


def chorused(signal: np.ndarray, rate: float, phase: float) -> np.ndarray:
    """Make stereo from mono: each channel adds a copy whose delay varies by 4 ms at `rate` Hz."""
    samples = np.arange(signal.size)
    sway = 2 * np.pi * rate * samples / SAMPLE_RATE + phase
    channels = []
    for offset in (0.0, np.pi):
        delay = (0.008 + 0.002 * (1 + np.sin(sway + offset))) * SAMPLE_RATE
        channels.append(0.7 * signal + 0.7 * np.interp(samples - delay, samples, signal))
    return np.stack(channels)


def echoed(signal: np.ndarray, seconds: float, level: float) -> np.ndarray:
    """Add three echoes to stereo, each half as loud as the one before, on alternating sides."""
    output = signal.copy()
    shift = int(seconds * SAMPLE_RATE)
    for i in range(1, 4):
        late = signal[:, : max(0, signal.shape[1] - i * shift)]
        output[:, i * shift :] += level * 0.5 ** (i - 1) * (late[::-1] if i % 2 else late)
    return output


def reverberated(
    signal: np.ndarray,
    rng: np.random.Generator,
    seconds: float,
    level: float,
    predelay: float = 0.012,
    brightness: float = 6000.0,
) -> np.ndarray:
    """Add reverberation with decaying noise as impulse response.

    Args:
        signal: (2, T).
        rng: Source of the noise.
        seconds: Time in which the reverberation falls by 60 dB.
        level: Level of the reverberation relative to the signal.
        predelay: Seconds before the reverberation begins.
        brightness: Cutoff of its low-pass filter in Hz.

    Returns:
        (2, T).
    """
    n_samples = int(seconds * SAMPLE_RATE)
    decay = np.exp(-6.9 * np.arange(n_samples) / n_samples)
    response = filtered(rng.standard_normal((2, n_samples)) * decay, "low", brightness, 1)
    response /= np.sqrt((response**2).sum(axis=1, keepdims=True))
    response = np.pad(response, ((0, 0), (int(predelay * SAMPLE_RATE), 0)))
    # Single precision halves the time of the slowest step.
    tail = oaconvolve(signal.astype(np.float32), response.astype(np.float32), axes=1)
    tail = tail[:, : signal.shape[1]]
    return (1 - 0.3 * level) * signal + level * tail


def compressed(
    signal: np.ndarray,
    threshold_db: float,
    ratio: float,
    attack: float = 0.008,
    release: float = 0.12,
) -> np.ndarray:
    """Scale stereo to a peak of 1 and compress its dynamic range.

    Args:
        signal: (2, T).
        threshold_db: Level in dB above which 1 dB of input gives 1 / ratio dB of output.
        ratio: Compression ratio.
        attack, release: Time constants in seconds of a falling and a rising gain.

    Returns:
        (2, T).
    """
    signal = normalised(signal)
    level_db = 20 * np.log10(_follow(np.abs(signal).max(axis=0), attack, release) + 1e-7)
    gain_db = -np.maximum(level_db - threshold_db, 0) * (1 - 1 / ratio)
    centres = np.arange(gain_db.size) * _BLOCK + _BLOCK / 2
    return signal * 10 ** (np.interp(np.arange(signal.shape[1]), centres, gain_db) / 20)


def _follow(level: np.ndarray, attack: float, release: float) -> np.ndarray:
    """Smoothed peak of each block, which rises with `attack` and falls with `release`."""
    n_blocks = level.size // _BLOCK
    peaks = level[: n_blocks * _BLOCK].reshape(n_blocks, _BLOCK).max(axis=1)
    rise, fall = (np.exp(-_BLOCK / (time * SAMPLE_RATE)) for time in (attack, release))
    current, followed = 0.0, []
    for peak in peaks.tolist():
        keep = rise if peak > current else fall
        current = keep * current + (1 - keep) * peak
        followed.append(current)
    return np.array(followed)

"""What a studio does to a recorded signal: panning, doubling, echo, reverberation, compression.

Signals are (T,) where mono and (2, T) where stereo, at 44.1 kHz; none is changed in place.
"""

from typing import Union

import numpy as np
from scipy.signal import oaconvolve

from .synthesis import SAMPLE_RATE, filtered

_BLOCK = 32  # samples in which the compressor's gain is one line


def panned(signal: Union[float, np.ndarray], position: float) -> np.ndarray:
    """Mono to stereo at constant power; position from -1 (left) to 1 (right).

    >>> panned(np.ones(1), -1.0).round(3).tolist()
    [[1.414], [0.0]]
    """
    angle = (position + 1) * np.pi / 4
    return np.sqrt(2) * np.array([np.cos(angle), np.sin(angle)])[:, None] * signal


def normalised(signal: np.ndarray) -> np.ndarray:
    """The signal with its peak at 1; silence stays silence."""
    peak = np.abs(signal).max()
    return signal / peak if peak > 0 else signal


def saturated(signal: np.ndarray, drive: float) -> np.ndarray:
    """The signal at peak 1, driven into soft distortion."""
    return np.tanh(drive * normalised(signal))


def double_tracked(signal: np.ndarray, seconds: float) -> np.ndarray:
    """Mono to stereo: on the right the same a few milliseconds later, as if played twice."""
    shift = int(seconds * SAMPLE_RATE)
    return np.stack([signal, 0.9 * np.pad(signal, (shift, 0))[: signal.size]])


def chorused(signal: np.ndarray, rate: float, phase: float) -> np.ndarray:
    """Mono to stereo: each channel adds a copy whose delay sways by 4 ms at `rate` Hz."""
    samples = np.arange(signal.size)
    sway = 2 * np.pi * rate * samples / SAMPLE_RATE + phase
    channels = []
    for offset in (0.0, np.pi):
        delay = (0.008 + 0.002 * (1 + np.sin(sway + offset))) * SAMPLE_RATE
        channels.append(0.7 * signal + 0.7 * np.interp(samples - delay, samples, signal))
    return np.stack(channels)


def echoed(signal: np.ndarray, seconds: float, level: float) -> np.ndarray:
    """Stereo with three echoes, each half as loud as the one before, on alternating sides."""
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
    """Stereo in a room whose response is decaying noise.

    Args:
        signal: (2, T).
        rng: Gives the noise.
        seconds: Time in which the reverberation falls by 60 dB.
        level: Of the reverberation beside the signal.
        predelay: Seconds before it begins.
        brightness: Hz above which it is darker.
    """
    n_samples = int(seconds * SAMPLE_RATE)
    decay = np.exp(-6.9 * np.arange(n_samples) / n_samples)
    response = filtered(rng.standard_normal((2, n_samples)) * decay, "low", brightness, 1)
    response /= np.sqrt((response**2).sum(axis=1, keepdims=True))
    response = np.pad(response, ((0, 0), (int(predelay * SAMPLE_RATE), 0)))
    # Single precision halves the time of what takes longest.
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
    """Stereo at peak 1, turned down where it is louder than the threshold.

    Args:
        signal: (2, T).
        threshold_db: Level above which one dB in gives 1 / ratio dB out.
        ratio: Of the compression.
        attack, release: Seconds in which the gain falls and recovers.
    """
    signal = normalised(signal)
    level_db = 20 * np.log10(_follow(np.abs(signal).max(axis=0), attack, release) + 1e-7)
    gain_db = -np.maximum(level_db - threshold_db, 0) * (1 - 1 / ratio)
    centres = np.arange(gain_db.size) * _BLOCK + _BLOCK / 2
    return signal * 10 ** (np.interp(np.arange(signal.shape[1]), centres, gain_db) / 20)


def _follow(level: np.ndarray, attack: float, release: float) -> np.ndarray:
    """Smooth peak of each block: fast when it rises, slow when it falls."""
    n_blocks = level.size // _BLOCK
    peaks = level[: n_blocks * _BLOCK].reshape(n_blocks, _BLOCK).max(axis=1)
    rise, fall = (np.exp(-_BLOCK / (time * SAMPLE_RATE)) for time in (attack, release))
    current, followed = 0.0, []
    for peak in peaks.tolist():
        keep = rise if peak > current else fall
        current = keep * current + (1 - keep) * peak
        followed.append(current)
    return np.array(followed)

"""Encode waveforms for a page: FLAC chunks that any browser decodes, and peaks to draw."""

import io
from base64 import b64encode
from typing import Iterator

import numpy as np
import soundfile
import torch

from ..separation import Song

RATES = (8_000, 96_000)  # Hz that every browser plays
SAMPLES_PER_PEAK = 1024
_CHANNELS = 2  # further channels are left out
_FULL_SCALE = 1 << 15


def read_chunks(song: Song, n_samples: int) -> Iterator[np.ndarray]:
    """Read the first two channels of a song in chunks.

    Args:
        song: Song to read.
        n_samples: Length of a chunk; the last one may be shorter.

    Yields:
        (T, C) arrays, C <= 2.
    """
    held = torch.zeros(min(song.n_channels, _CHANNELS), 0)
    for block in song.open():
        held = torch.cat([held, block[:_CHANNELS]], -1)
        while held.shape[-1] >= n_samples:
            yield held[:, :n_samples].T.numpy()
            held = held[:, n_samples:]
    if held.shape[-1]:
        yield held.T.numpy()


def code_waveform(waveform: np.ndarray, sample_rate: int) -> str:
    """Encode a waveform (T, C) as 16-bit FLAC in base64.

    FLAC is lossless and adds no delay, so chunks join without a seam, and sources that add up to
    the mixture still do, up to 16-bit rounding.

    Args:
        waveform: (T, C) float array, full scale at 1; louder samples are clipped.
        sample_rate: In Hz.

    Returns:
        The file in base64.
    """
    steps = np.rint(waveform * np.float64(_FULL_SCALE)).clip(-_FULL_SCALE, _FULL_SCALE - 1)
    file = io.BytesIO()
    soundfile.write(file, steps.astype(np.int16), sample_rate, format="FLAC", subtype="PCM_16")
    return b64encode(file.getvalue()).decode("ascii")


def waveform_peaks(waveform: np.ndarray) -> bytes:
    """Peaks of a waveform (T, C), one byte per `SAMPLES_PER_PEAK` samples; full scale is 255."""
    magnitudes = np.abs(waveform).max(1, initial=0.0)
    missing = -len(magnitudes) % SAMPLES_PER_PEAK
    peaks = np.pad(magnitudes, (0, missing)).reshape(-1, SAMPLES_PER_PEAK).max(1, initial=0.0)
    return np.rint(255 * peaks.clip(0, 1)).astype(np.uint8).tobytes()

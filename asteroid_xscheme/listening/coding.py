"""Waveforms -> what a page holds of them: chunks that any browser decodes, and their peaks."""

import io
from base64 import b64encode
from typing import Iterator

import numpy as np
import soundfile
import torch

from ..separation import Song

RATES = (8_000, 96_000)  # Hz that every browser plays
SAMPLES_PER_PEAK = 1024
_CHANNELS = 2  # that are heard; of a song of more, the first
_FULL_SCALE = 1 << 15


def read_chunks(song: Song, n_samples: int) -> Iterator[np.ndarray]:
    """A song in chunks (T, C) of n_samples, the last one shorter, of its first two channels."""
    held = torch.zeros(min(song.n_channels, _CHANNELS), 0)
    for block in song.open():
        held = torch.cat([held, block[:_CHANNELS]], -1)
        while held.shape[-1] >= n_samples:
            yield held[:, :n_samples].T.numpy()
            held = held[:, n_samples:]
    if held.shape[-1]:
        yield held.T.numpy()


def code_waveform(waveform: np.ndarray, sample_rate: int) -> str:
    """A waveform (T, C) as a FLAC of 16 bits, in base64.

    FLAC has no delay and loses nothing, so that chunks meet without a seam and sources that sum to
    the mixture still do, to the rounding of 16 bits.
    """
    steps = np.rint(waveform * np.float64(_FULL_SCALE)).clip(-_FULL_SCALE, _FULL_SCALE - 1)
    file = io.BytesIO()
    soundfile.write(file, steps.astype(np.int16), sample_rate, format="FLAC", subtype="PCM_16")
    return b64encode(file.getvalue()).decode("ascii")


def waveform_peaks(waveform: np.ndarray) -> bytes:
    """Largest magnitudes of (T, C), of `SAMPLES_PER_PEAK` samples each: a byte, 255 for 1."""
    magnitudes = np.abs(waveform).max(1, initial=0.0)
    missing = -len(magnitudes) % SAMPLES_PER_PEAK
    peaks = np.pad(magnitudes, (0, missing)).reshape(-1, SAMPLES_PER_PEAK).max(1, initial=0.0)
    return np.rint(255 * peaks.clip(0, 1)).astype(np.uint8).tobytes()

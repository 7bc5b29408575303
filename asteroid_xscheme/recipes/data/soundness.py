"""An audio file that songs are made of -> its samples, or why it is broken: empty, cut, NaN."""

from pathlib import Path
from typing import Optional, Tuple

import soundfile
import torch

from ...audio import AudioInfo, AudioReader, probe_audio, read_audio
from .errors import DataError

_BLOCK = 1 << 18  # samples read at a time


def read_sound(path: Path, stream: Optional[int] = None) -> Tuple[torch.Tensor, int]:
    """Samples (C, T) of a file that is whole, and its rate in Hz.

    Args:
        path: Any file that libsndfile or ffmpeg decodes.
        stream: Index among its audio streams; None is the first or only one.

    Raises:
        DataError: If it is cut, holds no samples, or some that are NaN or infinite.
        AudioError: If it cannot be read.
    """
    _check_length(path, probe_audio(path, stream))
    waveform, rate = read_audio(path, stream=stream)
    _check_finite(path, waveform, 0, rate)
    return waveform, rate


def check_sound(path: Path) -> None:
    """Refuse a file as :func:`read_sound` does; only floats are read, for NaN."""
    _check_length(path, probe_audio(path))
    with AudioReader(path) as reader:
        if soundfile.info(str(path)).subtype not in ("FLOAT", "DOUBLE"):
            return
        start = 0
        while (block := reader.read(_BLOCK)).shape[-1]:
            _check_finite(path, block, start, reader.info.sample_rate)
            start += block.shape[-1]


def _check_length(path: Path, info: AudioInfo) -> None:
    if info.is_cut:
        raise DataError(f"{path} is truncated: its end is missing.")
    if not info.n_samples:
        raise DataError(f"{path} contains no samples.")


def _check_finite(path: Path, waveform: torch.Tensor, start: int, rate: int) -> None:
    broken = (~waveform.isfinite()).any(0).nonzero()
    if len(broken):
        second = (start + broken[0].item()) / rate
        raise DataError(
            f"{path} has samples that are NaN or infinite, the first at {second:.2f} s."
        )

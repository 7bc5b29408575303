"""Read or check an audio file; refuse it if it is empty, truncated, or has NaN or infinity."""

from pathlib import Path
from typing import Optional, Tuple

import soundfile
import torch

from ...audio import AudioInfo, AudioReader, probe_audio, read_audio
from .errors import DataError

_BLOCK = 1 << 18  # samples read at a time


def read_sound(path: Path, stream: Optional[int] = None) -> Tuple[torch.Tensor, int]:
    """Read an intact file: samples (C, T), and the sample rate in Hz.

    Args:
        path: Any file that libsndfile or ffmpeg decodes.
        stream: Index of the audio stream; None means the first or only one.

    Raises:
        DataError: If the file is truncated or empty, or has samples that are NaN or infinite.
        AudioError: If the file cannot be read.
    """
    _check_length(path, probe_audio(path, stream))
    waveform, rate = read_audio(path, stream=stream)
    _check_finite(path, waveform, 0, rate)
    return waveform, rate


def check_sound(path: Path) -> None:
    """Check a file as :func:`read_sound` does; only floating-point samples have to be read.

    Raises:
        DataError, AudioError: As :func:`read_sound`.
    """
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

"""An audio file that songs are made of -> its samples, or why it is broken: empty, cut, not finite.

libsndfile reads a WAV that was cut without a word, to where it ends. What is looked at here is what
its header promises.
"""

import os
import struct
from pathlib import Path
from typing import Optional, Tuple

import soundfile
import torch

from ...audio import AudioError, AudioReader, read_audio
from .errors import DataError

_BLOCK = 1 << 18  # samples read at a time
_UNKNOWN = (0, 0xFFFFFFFF)  # bytes of samples, in the header of a WAV that was written to a pipe


def read_sound(path: Path, stream: Optional[int] = None) -> Tuple[torch.Tensor, int]:
    """Samples (C, T) of a file that is whole, and its rate in Hz.

    Args:
        path: Any file that libsndfile or ffmpeg decodes.
        stream: Index among its audio streams; None is the first or only one.

    Raises:
        DataError: If it is cut, holds no samples, or some that are NaN or infinite.
        AudioError: If it cannot be read.
    """
    check_length(path)
    waveform, rate = read_audio(path, stream=stream)
    if not waveform.shape[-1]:
        raise DataError(f"{path} holds no samples.")
    _check_finite(path, waveform, 0, rate)
    return waveform, rate


def check_sound(path: Path) -> None:
    """Refuse a file as :func:`read_sound` does; only floats are read, for NaN."""
    check_length(path)
    with AudioReader(path) as reader:
        if not reader.info.n_samples:
            raise DataError(f"{path} holds no samples.")
        if soundfile.info(str(path)).subtype not in ("FLOAT", "DOUBLE"):
            return
        start = 0
        while (block := reader.read(_BLOCK)).shape[-1]:
            _check_finite(path, block, start, reader.info.sample_rate)
            start += block.shape[-1]


def check_length(path: Path) -> None:
    """Refuse a WAV that ends before its header says.

    Raises:
        DataError: If it is cut.
    """
    missing = _missing_bytes(path)
    if missing > 0:
        raise DataError(
            f"{path} is cut: {missing} of the bytes that its header promises are missing."
        )


def _check_finite(path: Path, waveform: torch.Tensor, start: int, rate: int) -> None:
    broken = (~waveform.isfinite()).any(0).nonzero()
    if len(broken):
        second = (start + broken[0].item()) / rate
        raise DataError(
            f"{path} has samples that are NaN or infinite, the first at {second:.2f} s."
        )


def _missing_bytes(path: Path) -> int:
    """Bytes of samples that the header of a WAV promises beyond the file's end; 0 of others."""
    try:
        size = os.path.getsize(path)
        with open(path, "rb") as file:
            form, _, kind = struct.unpack("<4sI4s", file.read(12))
            if form not in (b"RIFF", b"RF64") or kind != b"WAVE":
                return 0
            long_size = None
            while len(header := file.read(8)) == 8:
                name, n_bytes = struct.unpack("<4sI", header)
                if name == b"data":
                    promised = long_size if form == b"RF64" and long_size else n_bytes
                    return 0 if promised in _UNKNOWN else file.tell() + promised - size
                if name == b"ds64":
                    long_size = struct.unpack("<8xQ", file.read(16))[0]
                    n_bytes -= 16
                file.seek(n_bytes + n_bytes % 2, os.SEEK_CUR)
    except struct.error:
        return 0  # too short to be a WAV: what reads it says so
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror}).") from error
    return 0

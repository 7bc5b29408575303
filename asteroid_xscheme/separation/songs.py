"""Songs to separate: waveforms or files that can be read block by block, repeatedly."""

import math
import os
from dataclasses import dataclass, replace
from itertools import chain, islice
from numbers import Real
from pathlib import Path
from typing import BinaryIO, Callable, Iterator, Optional, Tuple, Union

import numpy as np
import torch

from ..audio import AudioReader
from .errors import SeparationError
from .options import check_option

_BLOCK_SECONDS = 5
_BEGUN_SECONDS = 60
_MOST_CHANNELS = 64  # of a waveform with fewer samples than channels


@dataclass(frozen=True)
class Song:
    """A waveform that can be read from its beginning any number of times.

    Attributes:
        name: Name in error messages.
        sample_rate: In Hz.
        n_channels: Number of channels.
        n_samples: Samples per channel; for a file according to its header, 0 if unknown.
        open: Function that returns an iterator of blocks (C, T) from the beginning.
        is_cut: Whether the file shows that the end of the song is missing.
    """

    name: str
    sample_rate: int
    n_channels: int
    n_samples: int
    open: Callable[[], Iterator[torch.Tensor]]
    is_cut: bool = False

    @property
    def seconds(self) -> float:
        return self.n_samples / self.sample_rate


def song_of_waveform(waveform: Union[torch.Tensor, np.ndarray], sample_rate: int) -> Song:
    """Make a song from a waveform.

    Args:
        waveform: (C, T) float tensor or array, full scale at 1.
        sample_rate: In Hz.

    Raises:
        SeparationError: If it is not a float waveform (C, T), or the rate is not a whole number
            above 0.
    """
    _check_waveform(waveform)
    is_number = isinstance(sample_rate, Real) and 0 < sample_rate < math.inf
    if not is_number or sample_rate != int(sample_rate):
        raise SeparationError(f"Expected a sample rate in whole Hz above 0, got {sample_rate!r}.")
    if isinstance(waveform, np.ndarray):
        waveform = torch.from_numpy(np.array(waveform, np.float32))
    blocks = waveform.detach().cpu().float().split(_BLOCK_SECONDS * int(sample_rate), -1)
    n_channels, n_samples = waveform.shape
    return Song("the waveform", int(sample_rate), n_channels, n_samples, lambda: iter(blocks))


def _check_waveform(waveform: Union[torch.Tensor, np.ndarray]) -> None:
    shape, expected = tuple(waveform.shape), "Expected a float waveform (channel, time)"
    if isinstance(waveform, torch.Tensor):
        is_float = waveform.is_floating_point()
    else:
        is_float = waveform.dtype.kind == "f"
    if not is_float:
        raise SeparationError(
            f"{expected} with full scale at 1, got {waveform.dtype}; divide integers by their full "
            "scale."
        )
    if len(shape) != 2 or not shape[0]:
        hint = "; add a channel axis: waveform[None]" if len(shape) == 1 else ""
        raise SeparationError(f"{expected}, got {shape}{hint}.")
    if shape[0] > max(shape[1], _MOST_CHANNELS):
        raise SeparationError(
            f"{expected}, got {shape}, which looks like (time, channel): transpose it."
        )


def song_of_file(
    file: Union[str, Path, BinaryIO], start: float = 0.0, duration: Optional[float] = None
) -> Song:
    """Make a song from an audio file, or a part of it.

    Args:
        file: Path of an audio file, or a binary file object, which is read into memory from its
            current position.
        start: Start of the part in seconds.
        duration: Length of the part in seconds; None for the rest of the file.

    Raises:
        AudioError: If it is not an audio file.
        SeparationError: If the part is empty, or `file` is not a path or binary file object.
    """
    encoded: Union[Path, bytes]
    if isinstance(file, (str, os.PathLike)):
        name, encoded = str(file), Path(file)
    else:
        name, encoded = "the file object", _content(file)
    with AudioReader(encoded) as reader:
        info = reader.info
    first, length = _part(name, start, duration, info.sample_rate)
    promised = max(0, info.n_samples - first)
    if info.n_samples and not promised:
        raise SeparationError(
            f"{name}: ends after {info.seconds:.1f} s, before the requested start."
        )
    return Song(
        name,
        info.sample_rate,
        info.n_channels,
        promised if length is None else min(promised, length),
        lambda: _read_blocks(encoded, first, length),
        is_cut=info.is_cut and (length is None or promised <= length),
    )


def begun(song: Song) -> Song:
    """The same song with its first minute read already, for the first time that it is opened."""
    blocks = song.open()
    first = list(islice(blocks, _BEGUN_SECONDS // _BLOCK_SECONDS))
    started = iter([chain(first, blocks)])
    return replace(song, open=lambda: next(started, None) or song.open())


def _content(file: BinaryIO) -> bytes:
    try:
        content = file.read()
    except (AttributeError, UnicodeDecodeError):
        content = None
    if not isinstance(content, bytes):
        raise SeparationError(
            "Expected a waveform (a tensor or an array), a path, or a file opened in binary mode "
            f"('rb'), got {type(file).__name__}."
        )
    return content


def _part(
    name: str, start: float, duration: Optional[float], rate: int
) -> Tuple[int, Optional[int]]:
    """First sample and number of samples (None for all) of a part given in seconds."""
    check_option("start", start)
    check_option("duration", duration)
    length = None if duration is None else round(duration * rate)
    if length == 0:
        raise SeparationError(f"{name}: {duration} s is less than one sample at {rate} Hz.")
    return round(start * rate), length


def _read_blocks(
    file: Union[Path, bytes], first: int, length: Optional[int]
) -> Iterator[torch.Tensor]:
    with AudioReader(file) as reader:
        reader.skip(first)
        size = _BLOCK_SECONDS * reader.info.sample_rate
        left = length
        while left is None or left > 0:
            block = reader.read(size if left is None else min(size, left))
            if not block.shape[-1]:
                return
            left = None if left is None else left - block.shape[-1]
            yield block

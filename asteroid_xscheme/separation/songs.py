"""What is separated: a waveform at hand or a file, read block by block, as often as needed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator, Optional, Union

import torch

from ..audio import AudioReader
from ..errors import XSchemeError

_BLOCK_SECONDS = 5


class SeparationError(XSchemeError):
    """A song cannot be separated as asked; the message says why in one line."""


@dataclass(frozen=True)
class Song:
    """A waveform that can be read from its beginning any number of times.

    Attributes:
        name: What errors call it.
        sample_rate: In Hz.
        n_channels: Number of channels.
        n_samples: Samples per channel; for a file what its header promises, 0 if it does not.
        open: Function that returns the blocks (C, T) from the beginning.
    """

    name: str
    sample_rate: int
    n_channels: int
    n_samples: int
    open: Callable[[], Iterator[torch.Tensor]]

    @property
    def seconds(self) -> float:
        return self.n_samples / self.sample_rate


def song_of_waveform(waveform: torch.Tensor, sample_rate: int) -> Song:
    """A song of a float waveform (C, T)."""
    if waveform.ndim != 2 or not waveform.is_floating_point() or not waveform.shape[0]:
        raise SeparationError(
            "Expected a float waveform (channel, time), "
            f"got {tuple(waveform.shape)} of {waveform.dtype}."
        )
    blocks = waveform.detach().cpu().float().split(_BLOCK_SECONDS * int(sample_rate), -1)
    return Song("the waveform", int(sample_rate), *waveform.shape, lambda: iter(blocks))


def song_of_file(
    path: Union[str, Path], start: float = 0.0, duration: Optional[float] = None
) -> Song:
    """A song of a file.

    Args:
        path: Any audio file.
        start: Second to begin at.
        duration: Seconds to read; None for all.

    Raises:
        AudioError: If it is no audio file.
        SeparationError: If nothing is left of it.
    """
    with AudioReader(path) as reader:
        info = reader.info
    first = round(start * info.sample_rate)
    length = None if duration is None else round(duration * info.sample_rate)
    promised = max(0, info.n_samples - first)
    if first < 0 or (length is not None and length < 1):
        raise SeparationError(f"{path}: expected start >= 0 and duration > 0.")
    if info.n_samples and not promised:
        raise SeparationError(
            f"{path}: ends after {info.seconds:.1f} s, before the start asked for."
        )
    n_samples = promised if length is None else min(promised, length)
    return Song(
        str(path),
        info.sample_rate,
        info.n_channels,
        n_samples,
        lambda: _read_blocks(path, first, length),
    )


def _read_blocks(
    path: Union[str, Path], first: int, length: Optional[int]
) -> Iterator[torch.Tensor]:
    with AudioReader(path) as reader:
        reader.skip(first)
        size = _BLOCK_SECONDS * reader.info.sample_rate
        left = length
        while left is None or left > 0:
            block = reader.read(size if left is None else min(size, left))
            if not block.shape[-1]:
                return
            left = None if left is None else left - block.shape[-1]
            yield block

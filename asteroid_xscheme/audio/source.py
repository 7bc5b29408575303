"""What a decoder gives of a file: its facts, and its samples block by block."""

import io
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Union

import numpy as np

BLOCK = 1 << 18  # samples decoded at a time where nobody needs them all at once
Encoded = Union[Path, bytes]  # a file, or the content of one


@dataclass(frozen=True)
class AudioInfo:
    """Rate in Hz, number of channels and number of samples per channel of a file.

    Attributes:
        is_cut: Whether the file shows that its end is missing.
    """

    sample_rate: int
    n_channels: int
    n_samples: int
    is_cut: bool = False

    @property
    def seconds(self) -> float:
        return self.n_samples / self.sample_rate


def falls_short(n_samples: int, n_promised: int, sample_rate: int) -> bool:
    """Whether a file holds less than its header promises, by more than codecs pad and round."""
    return n_promised - n_samples > max(0.01 * n_promised, 0.1 * sample_rate)


class Source(ABC):
    """An open file and what decodes it.

    Attributes:
        info: What the file's header says.
        length_is_exact: Whether the file is known to hold the samples that its header promises.
    """

    info: AudioInfo
    length_is_exact: bool

    @abstractmethod
    def read(self, n_samples: int) -> np.ndarray:
        """The next samples, (C, n_samples) float32, fewer only at the end."""

    @abstractmethod
    def close(self) -> None:
        """Release the file."""

    def skip(self, n_samples: int) -> int:
        """Go n_samples forward, or to the end; the number of samples skipped.

        Decodes and drops them, which is exact where a decoder's seeking is not.
        """
        skipped = 0
        while skipped < n_samples:
            got = self.read(min(BLOCK, n_samples - skipped)).shape[1]
            if not got:
                break
            skipped += got
        return skipped


def opened(file: Encoded) -> BinaryIO:
    """The bytes of a file."""
    return open(file, "rb") if isinstance(file, Path) else io.BytesIO(file)

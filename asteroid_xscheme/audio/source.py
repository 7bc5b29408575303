"""The interface of decoders: information about a file, and its samples block by block."""

import io
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Union

import numpy as np

BLOCK = 1 << 18  # samples decoded at a time
Encoded = Union[Path, bytes]  # a file, or its content


@dataclass(frozen=True)
class AudioInfo:
    """Format and length of an audio file.

    Attributes:
        sample_rate: In Hz.
        n_channels: Number of channels.
        n_samples: Samples per channel.
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
    """Whether a file has fewer samples than its header claims, beyond padding and rounding.

    Args:
        n_samples: Samples that were decoded.
        n_promised: Samples according to the header.
        sample_rate: In Hz.
    """
    return n_promised - n_samples > max(0.01 * n_promised, 0.1 * sample_rate)


class Source(ABC):
    """An open file and its decoder.

    Attributes:
        info: According to the file's header.
        length_is_exact: Whether the file is known to have as many samples as its header claims.
    """

    info: AudioInfo
    length_is_exact: bool

    @abstractmethod
    def read(self, n_samples: int) -> np.ndarray:
        """Read the next samples, (C, n_samples) float32; fewer only at the end."""

    @abstractmethod
    def close(self) -> None:
        """Close the file."""

    def skip(self, n_samples: int) -> int:
        """Skip samples; return how many were skipped, which is fewer at the end.

        The samples are decoded and dropped, because seeking is not exact in every decoder.
        """
        skipped = 0
        while skipped < n_samples:
            got = self.read(min(BLOCK, n_samples - skipped)).shape[1]
            if not got:
                break
            skipped += got
        return skipped


def opened(file: Encoded) -> BinaryIO:
    """Open a file, or its content, as a binary stream."""
    return open(file, "rb") if isinstance(file, Path) else io.BytesIO(file)

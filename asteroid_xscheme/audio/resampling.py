"""Change the sample rate with libsoxr, as a whole or in blocks, with an exact length.

libsoxr's filters have linear phase and their delay is compensated, so a waveform that is resampled
to another rate and back is aligned with the original.
"""

import numpy as np
import soxr
import torch

from .errors import AudioError


def resampled_length(n_samples: int, from_rate: int, to_rate: int) -> int:
    """ceil(n_samples * to_rate / from_rate), enough samples to resample back to n_samples."""
    return -(-n_samples * to_rate // from_rate)


def resample(waveform: torch.Tensor, from_rate: int, to_rate: int) -> torch.Tensor:
    """Resample a waveform.

    Args:
        waveform: (C, T) float tensor on the CPU.
        from_rate, to_rate: Rates in Hz, positive integers.

    Returns:
        (C, T') float32 tensor, where T' is the :func:`resampled_length`.

    Raises:
        ValueError: If a rate is not a whole number above 0.

    >>> resample(torch.zeros(2, 48000), 48000, 44100).shape
    torch.Size([2, 44100])
    """
    return Resampler(from_rate, to_rate, waveform.shape[0]).push(waveform, last=True)


class Resampler:
    """Resamples a waveform block by block.

    The output blocks together have the length :func:`resampled_length` of the input. If the rates
    are equal, blocks pass unchanged.

    Args:
        from_rate, to_rate: Rates in Hz, positive integers.
        n_channels: Number of channels.

    Raises:
        AudioError: If a rate is not a whole number above 0.
    """

    def __init__(self, from_rate: int, to_rate: int, n_channels: int):
        if min(from_rate, to_rate) < 1 or from_rate != int(from_rate) or to_rate != int(to_rate):
            raise AudioError(
                f"Expected sample rates in whole Hz above 0, got {from_rate}, {to_rate}."
            )
        self.from_rate, self.to_rate = int(from_rate), int(to_rate)
        self._n_in = self._n_out = 0
        self._stream = None
        if self.from_rate != self.to_rate:
            self._stream = soxr.ResampleStream(from_rate, to_rate, n_channels, "float32", "HQ")

    def push(self, block: torch.Tensor, last: bool = False) -> torch.Tensor:
        """Resample a block.

        Args:
            block: (C, T) samples.
            last: Whether the waveform ends with this block.

        Returns:
            (C, n) samples that are ready; with `last`, all that remain.
        """
        if self._stream is None:
            return block
        self._n_in += block.shape[-1]
        frames = np.ascontiguousarray(block.numpy().T, dtype=np.float32)
        ready = torch.from_numpy(self._stream.resample_chunk(frames, last=last)).T
        target = resampled_length(self._n_in, self.from_rate, self.to_rate)
        ready = ready[:, : target - self._n_out]
        missing = target - self._n_out - ready.shape[-1]
        if last and missing:
            ready = torch.nn.functional.pad(ready, (0, missing))
        self._n_out += ready.shape[-1]
        return ready.contiguous()

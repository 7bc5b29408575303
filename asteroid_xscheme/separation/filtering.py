"""From magnitudes of the sources to waveforms: the Wiener filter of a stream, and inverse STFT."""

import sys
from dataclasses import dataclass
from typing import Callable, Iterable, Iterator, Optional, Tuple

import torch

from ..dsp.wiener import Filter, fit_magnitudes, fit_spectrograms
from ..models.inference import Map
from .chunks import Block, Chunk, cut_chunks, join_chunks
from .frames import FRAMES_AT_ONCE, synthesize_stream
from .streams import Stream

_WIENER_FADE = 0.05  # fraction of a window that overlaps the next


@dataclass(frozen=True)
class WienerOptions:
    """Options of the Wiener filter; see :mod:`asteroid_xscheme.dsp.wiener`.

    Attributes:
        iterations: Iterations of "em".
        window: Frames to filter together; None for the whole song.
        softmask: Start "em" from a ratio mask.
        method: "em" or "one_pass".
    """

    iterations: int = 1
    window: Optional[int] = 300
    softmask: bool = False
    method: str = "em"

    @property
    def leaves_estimates(self) -> bool:
        """Whether the filter would not change the estimates."""
        return self.method == "em" and not self.iterations


def filter_and_synthesize(
    joined: Iterable[Block],
    window: torch.Tensor,
    n_fft: int,
    hop: int,
    options: WienerOptions,
    run_each: Map,
) -> Stream:
    """Filter a stream in overlapping windows, and transform it back.

    Args:
        joined: Blocks of the mixture (C, N, F) and magnitudes of the sources (J, C, N, F).
        window, n_fft, hop: As for :func:`asteroid_xscheme.dsp.stft.stft`.
        options: Options of the Wiener filter.
        run_each: Filters several blocks of frames at once.

    Returns:
        Waveforms of the sources (J, C, T), which end n_fft // 2 samples after the last centre.
    """
    length = options.window or sys.maxsize
    overlap = int(_WIENER_FADE * length) if options.window else 0
    windows = cut_chunks(joined, length, length - overlap, axis=-2)
    fitted = _fit_windows(windows, options, run_each)
    filtered = join_chunks(fitted, overlap, overlap, -2, frames_at_once(window))
    return synthesize_stream((x for (x,) in filtered), window, n_fft, hop)


def frames_at_once(window: torch.Tensor) -> int:
    """Frames to decode and filter at once: what belongs to them fits into a CPU's cache."""
    return FRAMES_AT_ONCE if window.device.type == "cpu" else sys.maxsize


def _fit_windows(
    windows: Iterable[Tuple[int, Block]], options: WienerOptions, run_each: Map
) -> Iterator[Chunk]:
    """From (mixture, magnitudes) to complex spectrograms of the sources (J, C, N, F)."""
    for start, (mixture, magnitudes) in windows:
        device = mixture.device
        if device.type == "mps":  # has no float64
            mixture, magnitudes = mixture.cpu(), magnitudes.cpu()
        if options.method == "one_pass":
            fitted = fit_spectrograms(magnitudes * torch.sgn(mixture), mixture, run_each)
        else:
            fitted = fit_magnitudes(
                magnitudes,
                mixture,
                options.iterations,
                options.softmask,
                lossless=True,
                run_each=run_each,
            )
        yield Chunk(start, mixture.shape[1], _on_device(fitted, device))
        del mixture, magnitudes, fitted


def _on_device(fitted: Filter, device: torch.device) -> Callable[[slice], Block]:
    return lambda frames: (fitted(frames).to(device),)

"""From a stream of the mixture to a stream of its sources, for either kind of model.

A pipeline takes blocks (C, T) at the model's rate and channel count and gives blocks (J, C, T);
together they are at least as long as the mixture. Memory does not depend on the song's length.
"""

import sys
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import ContextManager, Iterable, Iterator, Optional

import torch

from ..models.base import BridgedModel, SpectrogramModel
from ..stft import magnitude
from ..wiener import wiener
from .chunks import Block, Chunk, cut_chunks, join_chunks
from .frames import analyze_stream, synthesize_stream

Stream = Iterator[torch.Tensor]
_WIENER_FADE = 0.05  # share of a window that overlaps the next


@dataclass(frozen=True)
class Chunking:
    """Length of a chunk and of its overlap with the next, in frames or samples.

    Attributes:
        length, overlap: 0 <= overlap <= length / 2.
        fade: Middle part of an overlap where two chunks are mixed; what lies outside is context.
        batch: Chunks that go through the networks at once.
    """

    length: int
    overlap: int
    fade: int
    batch: int

    @property
    def hop(self) -> int:
        return self.length - self.overlap


@dataclass(frozen=True)
class WienerOptions:
    """Arguments of :func:`asteroid_xscheme.wiener.wiener`; `window` None takes the whole song."""

    iterations: int = 1
    window: Optional[int] = 300
    softmask: bool = False


def separate_spectrogram(
    blocks: Iterable[torch.Tensor],
    model: SpectrogramModel,
    chunking: Chunking,
    options: WienerOptions,
    autocast: Optional[torch.dtype] = None,
) -> Stream:
    """STFT, networks on chunks of frames, Wiener filter on windows of frames, inverse STFT."""
    frames = analyze_stream(blocks, model.window, model.n_fft, model.hop)
    chunks = cut_chunks(((x,) for x in frames), chunking.length, chunking.hop, axis=0)
    estimated = _estimate_chunks(chunks, model, chunking.batch, autocast)
    joined = join_chunks(estimated, chunking.fade, axis=0)
    length = options.window or sys.maxsize
    overlap = int(_WIENER_FADE * length) if options.window else 0
    windows = cut_chunks(joined, length, length - overlap, axis=0)
    filtered = join_chunks(_filter_windows(windows, options), overlap, axis=0)
    frames = (x for (x,) in filtered if len(x))
    return synthesize_stream(frames, model.window, model.n_fft, model.hop)


def separate_waveform(
    blocks: Iterable[torch.Tensor],
    model: BridgedModel,
    chunking: Chunking,
    autocast: Optional[torch.dtype] = None,
) -> Stream:
    """Networks on chunks of samples, which are cross-faded over all of their overlap."""
    chunks = cut_chunks(((x,) for x in blocks), chunking.length, chunking.hop, axis=-1)
    estimated = _separate_chunks(chunks, model, chunking.batch, autocast)
    return (x for (x,) in join_chunks(estimated, chunking.fade, axis=-1))


def _estimate_chunks(
    chunks: Iterator[Chunk],
    model: SpectrogramModel,
    batch: int,
    autocast: Optional[torch.dtype],
) -> Iterator[Chunk]:
    """Of mixture (N, C, F): (mixture, magnitudes of the sources (N, J, C, F))."""
    while group := list(islice(chunks, batch)):
        mixtures = torch.stack([mixture for _, (mixture,) in group], dim=1)
        magnitudes = magnitude(mixtures)
        if model.spec_power != 1:
            magnitudes = magnitudes**model.spec_power
        with _precision(magnitudes.device, autocast):
            estimates = model.estimate_magnitudes(magnitudes).float()
        if model.spec_power != 1:
            estimates = estimates.clamp_min(0) ** (1 / model.spec_power)
        del mixtures
        for k, (start, (mixture,)) in enumerate(group):
            magnitudes = estimates[:, :, k].transpose(0, 1)
            if k == len(group) - 1:  # a copy, lest what is held of it keep the batch in memory
                magnitudes = magnitudes.clone()
            yield start, (mixture, magnitudes)
        del estimates, magnitudes, group


def _filter_windows(windows: Iterator[Chunk], options: WienerOptions) -> Iterator[Chunk]:
    """Of mixture and magnitudes: complex spectrograms of the sources (N, J, C, F)."""
    for start, (mixture, magnitudes) in windows:
        estimates, mixture = magnitudes.permute(1, 2, 3, 0), mixture.permute(1, 2, 0)
        if mixture.device.type == "mps":  # has no float64
            estimates, mixture = estimates.cpu(), mixture.cpu()
        separated = wiener(estimates, mixture, options.iterations, options.softmask)
        yield start, (separated.permute(3, 0, 1, 2).to(magnitudes.device),)


def _separate_chunks(
    chunks: Iterator[Chunk], model: BridgedModel, batch: int, autocast: Optional[torch.dtype]
) -> Iterator[Chunk]:
    """Of mixture (C, T): sources (J, C, T)."""
    while group := list(islice(chunks, batch)):
        mixtures = torch.stack([mixture for _, (mixture,) in group])
        with _precision(mixtures.device, autocast):
            estimates = model.forward_wav(mixtures).float()
        for (start, _), estimate in zip(group, estimates):
            block: Block = (estimate,)
            yield start, block


def _precision(device: torch.device, autocast: Optional[torch.dtype]) -> ContextManager:
    return nullcontext() if autocast is None else torch.autocast(device.type, autocast)

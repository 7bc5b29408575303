"""Pipelines from a stream of the mixture to a stream of its sources, one per kind of model.

A pipeline takes blocks (C, T) at the model's rate and channel count, and yields blocks (J, C, T)
that together are at least as long as the mixture. Memory does not depend on the song's length.
"""

import sys
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice, tee
from typing import ContextManager, Iterable, Iterator, Optional, Sequence

import torch

from ..models import BridgedModel, PatchGroup, SpectrogramModel
from ..models.inference import Estimator
from ..models.patches import averaged_over_flip, stream_patches
from ..dsp.stft import magnitude
from ..dsp.wiener import wiener, wiener_one_pass
from .chunks import Block, Chunk, cut_chunks, join_chunks
from .frames import analyze_stream, synthesize_stream
from .streams import Stream, followed_by_silence, in_step

_WIENER_FADE = 0.05  # fraction of a window that overlaps the next
_WAVEFORM_N_FFT, _WAVEFORM_HOP = 4096, 1024  # of the Wiener filter after waveform models


@dataclass(frozen=True)
class Chunking:
    """Length of chunks and of their overlaps, in frames or samples.

    Attributes:
        length: Length of a chunk.
        overlap: Overlap of two chunks, 0 <= overlap <= length / 2.
        fade: Length of the cross-fade in the middle of an overlap; the rest serves as context.
    """

    length: int
    overlap: int
    fade: int

    @property
    def hop(self) -> int:
        return self.length - self.overlap


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


@dataclass(frozen=True)
class Estimation:
    """How to call the networks.

    Attributes:
        autocast: Precision of the networks; None for the precision of their weights.
        flip_channels: Average over both orders of the channels.
    """

    autocast: Optional[torch.dtype] = None
    flip_channels: bool = False

    def of(self, estimate: Estimator, power: float = 1) -> Estimator:
        """Make an estimator of magnitudes |X| from one of |X|^power."""
        if self.flip_channels:
            estimate = averaged_over_flip(estimate)

        def estimate_magnitudes(magnitudes: torch.Tensor) -> torch.Tensor:
            if power != 1:
                magnitudes = magnitudes**power
            with precision_of(magnitudes.device, self.autocast):
                estimates = estimate(magnitudes).float()
            return estimates if power == 1 else estimates.clamp_min(0) ** (1 / power)

        return estimate_magnitudes


def separate_spectrogram(
    blocks: Iterable[torch.Tensor],
    model: SpectrogramModel,
    chunking: Chunking,
    batch: int,
    estimation: Estimation,
    options: WienerOptions,
) -> Stream:
    """Separate by STFT, networks on chunks of frames, Wiener filter, and inverse STFT.

    Args:
        blocks: Samples (C, T) of any T, at the model's rate, on its device.
        model: A spectrogram model.
        chunking: Lengths in frames.
        batch: Chunks per call of the networks.
        estimation: How to call the networks.
        options: Options of the Wiener filter.

    Returns:
        A stream of waveforms of the sources (J, C, T), together at least as long as the input.
    """
    frames = _analyze(blocks, model)
    chunks = cut_chunks(((x,) for x in frames), chunking.length, chunking.hop, axis=0)
    estimate = estimation.of(model.estimate_magnitudes, model.spec_power)
    estimated = _estimate_chunks(chunks, estimate, batch)
    joined = join_chunks(estimated, chunking.fade, axis=0)
    return _filter_and_synthesize(joined, model.window, model.n_fft, model.hop, options)


def separate_patches(
    blocks: Iterable[torch.Tensor],
    model: SpectrogramModel,
    groups: Sequence[PatchGroup],
    batch: int,
    estimation: Estimation,
    options: WienerOptions,
) -> Stream:
    """Separate as :func:`separate_spectrogram` does, with networks that work on patches.

    Args:
        blocks, model, estimation, options: As for :func:`separate_spectrogram`.
        groups: The networks and the sizes of their patches.
        batch: Patches per call of the networks.

    Returns:
        A stream of waveforms of the sources (J, C, T), together at least as long as the input.
    """
    frames = _analyze(blocks, model)
    mixture, *copies = tee(frames, 1 + len(groups))
    estimates = [
        stream_patches(
            estimation.of(group.estimate),
            (magnitude(x)[:, None] for x in copy),
            group.frames,
            group.shift,
            batch,
        )
        for group, copy in zip(groups, copies)
    ]
    estimated = in_step([mixture, *((x[:, :, 0].transpose(0, 1) for x in e) for e in estimates)])
    joined = ((x, torch.cat(magnitudes, dim=1)) for x, *magnitudes in estimated)
    return _filter_and_synthesize(joined, model.window, model.n_fft, model.hop, options)


def _analyze(blocks: Iterable[torch.Tensor], model: SpectrogramModel) -> Stream:
    blocks = followed_by_silence(blocks, model.tail)
    return analyze_stream(blocks, model.window, model.n_fft, model.hop)


def _filter_and_synthesize(
    joined: Iterable[Block], window: torch.Tensor, n_fft: int, hop: int, options: WienerOptions
) -> Stream:
    """From (mixture (N, C, F), magnitudes of the sources (N, J, C, F)) to waveforms (J, C, T)."""
    length = options.window or sys.maxsize
    overlap = int(_WIENER_FADE * length) if options.window else 0
    windows = cut_chunks(joined, length, length - overlap, axis=0)
    filtered = join_chunks(_filter_windows(windows, options), overlap, axis=0)
    frames = (x for (x,) in filtered if len(x))
    return synthesize_stream(frames, window, n_fft, hop)


def separate_waveform(
    blocks: Iterable[torch.Tensor],
    model: BridgedModel,
    chunking: Chunking,
    batch: int,
    estimation: Estimation,
    options: WienerOptions,
) -> Stream:
    """Separate by networks on chunks of samples, then by the Wiener filter if it is on.

    Args:
        blocks: Samples (C, T) of any T, at the model's rate, on its device.
        model: A waveform model.
        chunking: Lengths in samples.
        batch: Chunks per call of the networks.
        estimation, options: As for :func:`separate_spectrogram`.

    Returns:
        A stream of waveforms of the sources (J, C, T), together at least as long as the input.
    """
    if options.leaves_estimates:
        return _estimate_waveforms(blocks, model, chunking, batch, estimation)
    mixture, copy = tee(blocks)
    estimates = _estimate_waveforms(copy, model, chunking, batch, estimation)
    window = torch.hann_window(_WAVEFORM_N_FFT, device=next(model.parameters()).device)
    settings = window, _WAVEFORM_N_FFT, _WAVEFORM_HOP
    frames = analyze_stream(mixture, *settings)
    of_sources = analyze_stream((block.flatten(0, 1) for block in estimates), *settings)
    shape = len(model.sources), model.nb_channels
    joined = ((x, magnitude(y.unflatten(1, shape))) for x, y in in_step([frames, of_sources]))
    return _filter_and_synthesize(joined, *settings, options)


def _estimate_waveforms(
    blocks: Iterable[torch.Tensor],
    model: BridgedModel,
    chunking: Chunking,
    batch: int,
    estimation: Estimation,
) -> Stream:
    """The sources of a song (J, C, T), estimated in chunks."""
    chunks = cut_chunks(((x,) for x in blocks), chunking.length, chunking.hop, axis=-1)
    estimated = _separate_chunks(chunks, model, batch, estimation)
    return (x for (x,) in join_chunks(estimated, chunking.fade, axis=-1))


def _estimate_chunks(chunks: Iterator[Chunk], estimate: Estimator, batch: int) -> Iterator[Chunk]:
    """From mixture (N, C, F) to (mixture, magnitudes of the sources (N, J, C, F))."""
    while group := list(islice(chunks, batch)):
        estimates = estimate(torch.stack([magnitude(mixture) for _, (mixture,) in group], dim=1))
        for k, (start, (mixture,)) in enumerate(group):
            magnitudes = estimates[:, :, k].transpose(0, 1)
            if k == len(group) - 1:  # a view would keep the whole batch in memory
                magnitudes = magnitudes.clone()
            yield start, (mixture, magnitudes)
        del estimates, magnitudes, group


def _filter_windows(windows: Iterator[Chunk], options: WienerOptions) -> Iterator[Chunk]:
    """From (mixture, magnitudes) to complex spectrograms of the sources (N, J, C, F)."""
    for start, (mixture, magnitudes) in windows:
        estimates, mixture = magnitudes.permute(1, 2, 3, 0), mixture.permute(1, 2, 0)
        if mixture.device.type == "mps":  # has no float64
            estimates, mixture = estimates.cpu(), mixture.cpu()
        if options.method == "one_pass":
            separated = wiener_one_pass(estimates * torch.sgn(mixture), mixture)
        else:
            separated = wiener(
                estimates, mixture, options.iterations, options.softmask, lossless=True
            )
        yield start, (separated.permute(3, 0, 1, 2).to(magnitudes.device),)


def _separate_chunks(
    chunks: Iterator[Chunk], model: BridgedModel, batch: int, estimation: Estimation
) -> Iterator[Chunk]:
    """From mixture (C, T) to sources (J, C, T)."""
    while group := list(islice(chunks, batch)):
        mixtures = torch.stack([mixture for _, (mixture,) in group])
        with precision_of(mixtures.device, estimation.autocast):
            estimates = model.forward_wav(mixtures).float()
            if estimation.flip_channels:
                flipped = model.forward_wav(mixtures.flip(1)).float().flip(2)
                estimates = (estimates + flipped) / 2
        for (start, _), estimate in zip(group, estimates):
            block: Block = (estimate,)
            yield start, block


def precision_of(device: torch.device, autocast: Optional[torch.dtype]) -> ContextManager:
    """A context in which networks compute with this precision; None leaves it unchanged."""
    return nullcontext() if autocast is None else torch.autocast(device.type, autocast)

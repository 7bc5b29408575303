"""Pipelines from a stream of the mixture to a stream of its sources, one per kind of model.

A pipeline takes blocks (C, T) at the model's rate and channel count, and yields blocks (J, C, T)
that together are at least as long as the mixture. Memory does not depend on the song's length.
Frames come before bins: a spectrogram of the mixture is (C, N, F), those of the sources are
(J, C, N, F).
"""

from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice, tee
from typing import Callable, ContextManager, Iterable, Iterator, Optional, Sequence, Tuple

import torch

from ..models import BridgedModel, PatchGroup, SpectrogramModel
from ..models.inference import Estimates, Estimator, Map
from ..models.patches import averaged_over_flip, stream_patches
from ..dsp.stft import magnitude
from .chunks import Block, Chunk, cut_chunks, join_chunks
from .filtering import WienerOptions, filter_and_synthesize, frames_at_once
from .frames import analyze_stream
from .streams import Stream, followed_by_silence, in_step

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
class Estimation:
    """How to call the networks.

    Attributes:
        autocast: Precision of the networks; None for the precision of their weights.
        flip_channels: Average over both orders of the channels.
    """

    autocast: Optional[torch.dtype] = None
    flip_channels: bool = False

    def of(self, estimate: Estimator) -> Estimator:
        """An estimator that is called so."""
        if self.flip_channels:
            estimate = averaged_over_flip(estimate)

        def estimate_magnitudes(magnitudes: torch.Tensor) -> torch.Tensor:
            with precision_of(magnitudes.device, self.autocast):
                return estimate(magnitudes).float()

        return estimate_magnitudes

    def by_frames(self, model: SpectrogramModel, magnitudes: torch.Tensor) -> Estimates:
        """A model's estimates |S| of magnitudes |X| (N, B, C, F), called so, frame by frame."""
        power, device = model.spec_power, magnitudes.device
        powers = magnitudes if power == 1 else magnitudes**power
        orders = [powers, powers.flip(2)] if self.flip_channels else [powers]
        with precision_of(device, self.autocast):
            begun = [model.estimate_by_frames(x) for x in orders]

        def estimate(frames: slice, items: slice) -> torch.Tensor:
            estimates, *flipped = [x(frames, items).float() for x in begun]
            if flipped:
                estimates = (estimates + flipped[0].flip(3)) / 2
            return estimates if power == 1 else estimates.clamp_min(0) ** (1 / power)

        return estimate


def separate_spectrogram(
    blocks: Iterable[torch.Tensor],
    model: SpectrogramModel,
    chunking: Chunking,
    batch: int,
    estimation: Estimation,
    options: WienerOptions,
    run_each: Map,
) -> Stream:
    """Separate by STFT, networks on chunks of frames, Wiener filter, and inverse STFT.

    Args:
        blocks: Samples (C, T) of any T, at the model's rate, on its device.
        model: A spectrogram model.
        chunking: Lengths in frames.
        batch: Chunks per call of the networks.
        estimation: How to call the networks.
        options: Options of the Wiener filter.
        run_each: Filters several blocks of frames at once.

    Returns:
        A stream of waveforms of the sources (J, C, T), together at least as long as the input.
    """
    frames = _analyze(blocks, model)
    chunks = cut_chunks(((x,) for x in frames), chunking.length, chunking.hop, axis=-2)
    estimated = _estimate_chunks(chunks, model, batch, estimation)
    at_once = frames_at_once(model.window)
    joined = join_chunks(estimated, chunking.overlap, chunking.fade, -2, at_once)
    return filter_and_synthesize(joined, model.window, model.n_fft, model.hop, options, run_each)


def separate_patches(
    blocks: Iterable[torch.Tensor],
    model: SpectrogramModel,
    groups: Sequence[PatchGroup],
    batch: int,
    estimation: Estimation,
    options: WienerOptions,
    run_each: Map,
) -> Stream:
    """Separate as :func:`separate_spectrogram` does, with networks that work on patches.

    Args:
        blocks, model, estimation, options, run_each: As for :func:`separate_spectrogram`.
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
            (magnitude(x).transpose(0, 1)[:, None] for x in copy),
            group.frames,
            group.shift,
            batch,
        )
        for group, copy in zip(groups, copies)
    ]
    estimated = in_step(
        [mixture, *((x[:, :, 0].transpose(1, 2) for x in e) for e in estimates)], -2
    )
    joined = ((x, torch.cat(magnitudes)) for x, *magnitudes in estimated)
    return filter_and_synthesize(joined, model.window, model.n_fft, model.hop, options, run_each)


def _analyze(blocks: Iterable[torch.Tensor], model: SpectrogramModel) -> Stream:
    blocks = followed_by_silence(blocks, model.tail)
    return analyze_stream(blocks, model.window, model.n_fft, model.hop)


def separate_waveform(
    blocks: Iterable[torch.Tensor],
    model: BridgedModel,
    chunking: Chunking,
    batch: int,
    estimation: Estimation,
    options: WienerOptions,
    run_each: Map,
) -> Stream:
    """Separate by networks on chunks of samples, then by the Wiener filter if it is on.

    Args:
        blocks: Samples (C, T) of any T, at the model's rate, on its device.
        model: A waveform model.
        chunking: Lengths in samples.
        batch: Chunks per call of the networks.
        estimation, options, run_each: As for :func:`separate_spectrogram`.

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
    joined = ((x, magnitude(y.unflatten(0, shape))) for x, y in in_step([frames, of_sources], -2))
    return filter_and_synthesize(joined, *settings, options, run_each)


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
    return (x for (x,) in join_chunks(estimated, chunking.overlap, chunking.fade, axis=-1))


def _estimate_chunks(
    chunks: Iterator[Tuple[int, Block]], model: SpectrogramModel, batch: int, estimation: Estimation
) -> Iterator[Chunk]:
    """From mixture (C, N, F) to (mixture, magnitudes of the sources (J, C, N, F))."""
    while group := list(islice(chunks, batch)):
        magnitudes = torch.stack([magnitude(mixture) for _, (mixture,) in group])
        estimates = estimation.by_frames(model, magnitudes.permute(2, 0, 1, 3))
        for item, (start, (mixture,)) in enumerate(group):
            yield _estimated_chunk(start, mixture, estimates, item)
        del group, magnitudes, estimates, mixture  # before the next are made


def _estimated_chunk(start: int, mixture: torch.Tensor, estimates: Estimates, item: int) -> Chunk:
    def compute(frames: slice) -> Block:
        magnitudes = estimates(frames, slice(item, item + 1))[:, :, 0]
        return mixture[:, frames], magnitudes.transpose(1, 2)

    return Chunk(start, mixture.shape[1], compute)


def _separate_chunks(
    chunks: Iterator[Tuple[int, Block]], model: BridgedModel, batch: int, estimation: Estimation
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
            yield Chunk(start, estimate.shape[-1], _narrowed(estimate))


def _narrowed(estimate: torch.Tensor) -> Callable[[slice], Block]:
    return lambda samples: (estimate[..., samples],)


def precision_of(device: torch.device, autocast: Optional[torch.dtype]) -> ContextManager:
    """A context in which networks compute with this precision; None leaves it unchanged."""
    return nullcontext() if autocast is None else torch.autocast(device.type, autocast)

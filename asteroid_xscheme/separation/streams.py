"""Steps between a song and a pipeline: check, resample, group channels, trim."""

from itertools import tee
from typing import Any, Callable, Iterable, Iterator, List, Sequence, Tuple

import torch

from ..audio import Resampler
from .errors import SeparationError
from .songs import Song

_END: Any = None  # marks the end of a stream


Stream = Iterator[torch.Tensor]


def checked(song: Song) -> Stream:
    """Read the blocks (C, T) of a song and check them.

    Raises:
        SeparationError: At the first NaN or infinite sample, or at the end if there was no sample.
    """
    n_samples = 0
    for block in song.open():
        if not _is_finite(block):
            first = int((~block.isfinite()).any(0).nonzero()[0])
            seconds = (n_samples + first) / song.sample_rate
            raise SeparationError(
                f"{song.name}: contains a sample that is not finite (NaN or infinite) at "
                f"{seconds:.3f} s; repair it or cut it out."
            )
        n_samples += block.shape[-1]
        yield block
    if not n_samples:
        raise SeparationError(f"{song.name}: contains no samples.")


def finite(blocks: Stream, song: Song, sources: Sequence[str]) -> Stream:
    """Check the blocks of a song's sources.

    Args:
        blocks: (J, C, T) blocks.
        song: The song, for its name and rate in the message.
        sources: Names of the J sources.

    Raises:
        SeparationError: At the first block with a NaN or infinite sample.
    """
    n_samples = 0
    for block in blocks:
        if not _is_finite(block):
            is_wrong = ~block.isfinite().all(-1).all(-1)
            wrong = ", ".join(name for name, bad in zip(sources, is_wrong) if bad)
            raise SeparationError(
                f"{song.name}: the estimate of {wrong} is not finite (NaN or infinite) after "
                f"{n_samples / song.sample_rate:.1f} s. Either the weights are broken, the song is "
                "far too loud, or the precision is too low: try float32."
            )
        n_samples += block.shape[-1]
        yield block


def _is_finite(block: torch.Tensor) -> bool:
    """Whether all samples are finite; their sum is not if one is not, and takes no memory."""
    return bool(block.sum().isfinite() or block.isfinite().all())


def resampled(blocks: Iterable[torch.Tensor], from_rate: int, to_rate: int) -> Stream:
    """Resample blocks (..., T)."""
    resampler, shape = None, torch.Size()
    for block in blocks:
        if resampler is None:
            shape = block.shape[:-1]
            resampler = Resampler(from_rate, to_rate, shape.numel())
        flat = block.reshape(shape.numel(), block.shape[-1])
        yield resampler.push(flat).unflatten(0, shape)
    if resampler is not None:
        rest = resampler.push(torch.zeros(shape.numel(), 0, device="cpu"), last=True)
        yield rest.unflatten(0, shape)


def over_channels(blocks: Stream, n_channels: int, separate: Callable[[Stream], Stream]) -> Stream:
    """Separate a song with any number of channels c by a pipeline with C channels.

    Channels are separated in groups of C, in order. If the last group has fewer, its last channel
    is repeated, and the output for that channel is the mean of the copies.

    Args:
        blocks: (c, T) blocks.
        n_channels: C.
        separate: Pipeline from blocks (C, T) to blocks (J, C, T).

    Yields:
        (J, c, T) blocks.
    """
    first = next(blocks)
    starts = range(0, first.shape[0], n_channels)
    blocks = _chained(first, blocks)
    copies = tee(blocks, len(starts)) if len(starts) > 1 else (blocks,)
    groups = [
        separate(_channel_group(copy, start, n_channels)) for start, copy in zip(starts, copies)
    ]
    n_last = first.shape[0] - starts[-1]
    for *parts, last in zip(*groups):
        if n_last < n_channels:
            repeated = last[:, n_last - 1 :].mean(1, keepdim=True)
            last = torch.cat([last[:, : n_last - 1], repeated], dim=1)
        yield torch.cat([*parts, last], dim=1) if parts else last


def _chained(first: torch.Tensor, rest: Stream) -> Stream:
    yield first
    yield from rest


def _channel_group(blocks: Stream, start: int, n_channels: int) -> Stream:
    """Channels from `start` on, the last one repeated until there are `n_channels`."""
    for block in blocks:
        group = block[start : start + n_channels]
        missing = n_channels - group.shape[0]
        yield torch.cat([group, group[-1:].expand(missing, -1)]) if missing else group


def followed_by_silence(blocks: Iterable[torch.Tensor], n_samples: int) -> Stream:
    """Append silence to a stream of blocks (C, T), unless the stream is empty."""
    block = None
    for block in blocks:
        yield block
    if block is not None and n_samples:
        yield block.new_zeros(len(block), n_samples)


class Counter:
    """Passes blocks on and counts their samples."""

    def __init__(self):
        self.n_samples = 0

    def __call__(self, blocks: Iterable[torch.Tensor]) -> Stream:
        for block in blocks:
            self.n_samples += block.shape[-1]
            yield block


def trimmed(blocks: Iterable[torch.Tensor], skip: int, counter: Counter) -> Stream:
    """Cut the start of a stream, and limit its length to that of another.

    Args:
        blocks: (..., T) blocks.
        skip: Samples to leave out at the start.
        counter: Counts the samples of the other stream, possibly while this one is read.
    """
    n_out = 0
    for block in blocks:
        dropped = min(skip, block.shape[-1])
        skip -= dropped
        block = block[..., dropped:][..., : counter.n_samples - n_out]
        n_out += block.shape[-1]
        if block.shape[-1]:
            yield block


def reblocked(blocks: Iterable[torch.Tensor], size: int) -> Stream:
    """The same samples in blocks of `size`, the last one shorter."""
    held = None
    for block in blocks:
        held = block if held is None else torch.cat([held, block], -1)
        *full, held = held.split(size, -1)
        yield from full
    if held is not None:
        yield held


def in_step(
    streams: Sequence[Iterable[torch.Tensor]], axis: int
) -> Iterator[Tuple[torch.Tensor, ...]]:
    """Cut streams of equal length into blocks that begin and end together.

    Args:
        streams: Streams of blocks of any length.
        axis: Axis of the streams.

    Yields:
        One block of each stream, all of the same length.
    """
    iterators = [iter(stream) for stream in streams]
    held = [next(iterator, _END) for iterator in iterators]
    while held[0] is not _END:
        length = min(block.shape[axis] for block in held)
        yield tuple(block.narrow(axis, 0, length) for block in held)
        rests = [block.shape[axis] - length for block in held]
        held = [
            block.narrow(axis, length, rest) if rest else next(iterator, _END)
            for block, rest, iterator in zip(held, rests, iterators)
        ]


def averaged(streams: List[Stream], size: int) -> Stream:
    """The mean of streams of equal length, in blocks of `size`."""
    if len(streams) == 1:
        yield from streams[0]
        return
    for blocks in zip(*(reblocked(stream, size) for stream in streams)):
        yield sum(blocks[1:], start=blocks[0]) / len(blocks)

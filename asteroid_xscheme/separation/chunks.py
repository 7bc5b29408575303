"""Cut streams into overlapping chunks, and join chunks to streams with cross-fades.

A stream is an iterator of blocks of any length along one axis; a block is a tuple of tensors that
belong together. Memory depends on the length of a chunk, not of the stream.
"""

import sys
from typing import Callable, Iterable, Iterator, List, NamedTuple, Tuple

import torch

Block = Tuple[torch.Tensor, ...]


class Chunk(NamedTuple):
    """A chunk whose steps are computed when they are asked for.

    Attributes:
        start: Its first step in the stream.
        length: Steps.
        compute: The tensors of some of its steps, of which the slice counts from its start.
    """

    start: int
    length: int
    compute: Callable[[slice], Block]

    @property
    def end(self) -> int:
        return self.start + self.length

    def between(self, first: int, last: int) -> Block:
        """The tensors from one step of the stream to another."""
        return self.compute(slice(first - self.start, last - self.start))


def cut_chunks(
    blocks: Iterable[Block], length: int, hop: int, axis: int
) -> Iterator[Tuple[int, Block]]:
    """Cut a stream into chunks.

    The last chunk starts early enough to have the full length at the end of the stream. A stream
    shorter than `length` is a single chunk.

    Args:
        blocks: The stream.
        length: Length of a chunk, in steps along the axis.
        hop: Distance between the starts of two chunks.
        axis: Axis of the stream.

    Yields:
        (start, tensors) of each chunk.

    >>> stream = [(torch.arange(4),), (torch.arange(4, 9),)]
    >>> [(start, *x.tolist()) for start, (x,) in cut_chunks(stream, 4, 3, axis=0)]
    [(0, 0, 1, 2, 3), (3, 3, 4, 5, 6), (5, 5, 6, 7, 8)]
    """
    held: List[Block] = []
    held_from = held_to = start = 0
    for block in blocks:
        held.append(block)
        held_to += block[0].shape[axis]
        if start + length >= held_to:
            continue
        joined = _join(held, axis)
        while start + length < held_to:
            yield start, _narrow(joined, axis, start - held_from, length)
            start += hop
        keep_from = max(held_from, min(start, held_to - length))
        held = [_narrow(joined, axis, keep_from - held_from, held_to - keep_from)]
        held_from = keep_from
    if held_to > held_from:
        n_held = held_to - held_from
        length = min(length, n_held)
        yield held_to - length, _narrow(_join(held, axis), axis, n_held - length, length)


def join_chunks(
    chunks: Iterable[Chunk], overlap: int, fade: int, axis: int, at_once: int = sys.maxsize
) -> Iterator[Block]:
    """Join overlapping chunks, cross-faded linearly in the middle of each overlap.

    Before and after the cross-fade, the output is the chunk whose own border is further away. The
    two weights add up to 1. Of a chunk only the end is kept until the next one comes.

    Args:
        chunks: Each overlaps the next, but not the one after that.
        overlap: Length of an overlap. The last may be longer: the last chunk is computed only from
            where the one before it leaves off.
        fade: Length of a cross-fade; the whole overlap if that is shorter.
        axis: Axis of the stream.
        at_once: Most steps to compute at once outside overlaps.

    Yields:
        Blocks of the joined stream.
    """
    done = end = 0
    tail: Block = ()
    for chunk in chunks:
        if done < end:
            start = max(done, chunk.start)
            width = min(fade, end - start)
            begin = start + (end - start - width) // 2
            if begin > done:
                yield _narrow(tail, axis, 0, begin - done)
            if width:
                old = _narrow(tail, axis, begin - done, width)
                yield _cross_fade(old, chunk.between(begin, begin + width), axis)
            done = begin + width
        end = chunk.end
        kept_from = max(done, end - overlap)
        yield from _in_blocks(chunk, done, kept_from, at_once)
        tail = tuple(x.clone() for x in chunk.between(kept_from, end))
        done = kept_from
        del chunk  # no view of it is left
    if done < end:
        yield tail


def _in_blocks(chunk: Chunk, first: int, last: int, at_once: int) -> Iterator[Block]:
    while first < last:
        end = min(first + at_once, last)
        yield chunk.between(first, end)
        first = end


def _join(blocks: List[Block], axis: int) -> Block:
    return blocks[0] if len(blocks) == 1 else tuple(torch.cat(x, axis) for x in zip(*blocks))


def _narrow(tensors: Iterable[torch.Tensor], axis: int, start: int, length: int) -> Block:
    return tuple(tensor.narrow(axis, start, length) for tensor in tensors)


def _cross_fade(old: Block, new: Block, axis: int) -> Block:
    """Fade from `old` to `new` along an axis; every step has a part of both."""
    width = old[0].shape[axis]
    weight = torch.arange(1, width + 1, device=old[0].device, dtype=torch.float32) / (width + 1)
    weights = [
        weight.reshape([width if i == axis % x.ndim else 1 for i in range(x.ndim)]) for x in old
    ]
    return tuple(a + weight * (b - a) for a, b, weight in zip(old, new, weights))

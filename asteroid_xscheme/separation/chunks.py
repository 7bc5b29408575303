"""Streams cut into overlapping chunks, and chunks joined to a stream again.

A stream is an iterator of blocks of any length along one axis; a block is a tuple of tensors that
belong together. Only what a chunk needs is held in memory, whatever the length of the stream.
"""

from typing import Iterable, Iterator, List, Tuple

import torch

Block = Tuple[torch.Tensor, ...]
Chunk = Tuple[int, Block]


def cut_chunks(blocks: Iterable[Block], length: int, hop: int, axis: int) -> Iterator[Chunk]:
    """Chunks (start, tensors) of `length`, `hop` after each other.

    The last chunk ends where the stream ends and is moved forward to keep its length; a stream
    shorter than `length` is one chunk.

    >>> stream = [(torch.arange(4),), (torch.arange(4, 9),)]
    >>> [(start, *x.tolist()) for start, (x,) in cut_chunks(stream, 4, 3, axis=0)]
    [(0, 0, 1, 2, 3), (3, 3, 4, 5, 6), (5, 5, 6, 7, 8)]
    """
    held: List[torch.Tensor] = []
    held_from = start = 0
    for block in blocks:
        held = [torch.cat(pair, axis) for pair in zip(held, block)] if held else list(block)
        held_to = held_from + held[0].shape[axis]
        while start + length < held_to:
            yield start, _narrow(held, axis, start - held_from, length)
            start += hop
        keep_from = max(held_from, min(start, held_to - length))
        held = list(_narrow(held, axis, keep_from - held_from, held_to - keep_from))
        held_from = keep_from
    if held and held[0].shape[axis]:
        n_held = held[0].shape[axis]
        length = min(length, n_held)
        yield held_from + n_held - length, _narrow(held, axis, n_held - length, length)


def join_chunks(chunks: Iterable[Chunk], fade: int, axis: int) -> Iterator[Block]:
    """The stream of overlapping chunks, cross-faded linearly in the middle of each overlap.

    Of an overlap only the middle `fade` (or all of a shorter one) holds both chunks; to either
    side the chunk is taken that is further from its own border. Weights add up to 1.

    Args:
        chunks: (start, tensors); each chunk overlaps the next, and not the one after that.
        fade: Length of a cross-fade; all of the overlap if it is shorter.
        axis: Of the stream.
    """
    held_from, held = 0, None
    for start, chunk in chunks:
        if held is None:
            held_from, held = start, chunk
            continue
        held_to = held_from + held[0].shape[axis]
        width = min(fade, held_to - start)
        begin = max(held_from, start + (held_to - start - width) // 2)
        yield _narrow(held, axis, 0, begin - held_from)
        yield _cross_fade(
            _narrow(held, axis, begin - held_from, width),
            _narrow(chunk, axis, begin - start, width),
            axis,
        )
        held_from = begin + width
        held = _narrow(chunk, axis, held_from - start, start + chunk[0].shape[axis] - held_from)
    if held is not None:
        yield held


def _narrow(tensors: Iterable[torch.Tensor], axis: int, start: int, length: int) -> Block:
    return tuple(tensor.narrow(axis, start, length) for tensor in tensors)


def _cross_fade(old: Block, new: Block, axis: int) -> Block:
    """From `old` to `new` along an axis; at no point all of one and none of the other."""
    width = old[0].shape[axis]
    weight = torch.arange(1, width + 1, device=old[0].device, dtype=torch.float32) / (width + 1)
    weights = [
        weight.reshape([width if i == axis % x.ndim else 1 for i in range(x.ndim)]) for x in old
    ]
    return tuple(a + weight * (b - a) for a, b, weight in zip(old, new, weights))

"""Cut streams into overlapping chunks, and join chunks to streams with cross-fades.

A stream is an iterator of blocks of any length along one axis; a block is a tuple of tensors that
belong together. Memory depends on the length of a chunk, not of the stream.
"""

from typing import Iterable, Iterator, List, Tuple

import torch

Block = Tuple[torch.Tensor, ...]
Chunk = Tuple[int, Block]


def cut_chunks(blocks: Iterable[Block], length: int, hop: int, axis: int) -> Iterator[Chunk]:
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
    """Join overlapping chunks, cross-faded linearly in the middle of each overlap.

    Before and after the cross-fade, the output is the chunk whose own border is further away. The
    two weights add up to 1.

    Args:
        chunks: (start, tensors); each chunk overlaps the next, but not the one after that.
        fade: Length of a cross-fade; the whole overlap if that is shorter.
        axis: Axis of the stream.

    Yields:
        Blocks of the joined stream.
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
    """Fade from `old` to `new` along an axis; every step has a part of both."""
    width = old[0].shape[axis]
    weight = torch.arange(1, width + 1, device=old[0].device, dtype=torch.float32) / (width + 1)
    weights = [
        weight.reshape([width if i == axis % x.ndim else 1 for i in range(x.ndim)]) for x in old
    ]
    return tuple(a + weight * (b - a) for a, b, weight in zip(old, new, weights))

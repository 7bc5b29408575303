"""A spectrogram of any length through a network that wants patches of a fixed number of frames.

Patches overlap and their estimates are averaged with equal weights, the published inference of
D3Net. A patch that reaches beyond the song is filled up with silence. The spectrogram may come as
a stream, of which only a few patches are held.
"""

from itertools import islice
from typing import Iterable, Iterator, List, Tuple

import torch
import torch.nn.functional as F

from .inference import Estimator

_Patch = Tuple[torch.Tensor, int]


def stream_patches(
    estimate: Estimator,
    blocks: Iterable[torch.Tensor],
    patch_frames: int,
    patch_shift: int,
    batch: int = 1,
) -> Iterator[torch.Tensor]:
    """Mean of the estimates of all patches that hold a frame, for every frame.

    The same as :func:`.x_d3net.overlap_add_patches` for a stream of magnitudes.

    Args:
        estimate: (patch_frames, B, C, F) -> (J, patch_frames, B, C, F).
        blocks: (n, B, C, F) of any n.
        patch_frames: Frames of a patch, a multiple of `patch_shift`.
        patch_shift: Frames from one patch to the next.
        batch: Patches to estimate at once, side by side as more items of the batch B.

    Yields:
        (J, n, B, C, F), together as many frames as the blocks.
    """
    n_overlapping = patch_frames // patch_shift
    patches = _cut_patches(blocks, patch_shift, n_overlapping)
    rest = None
    while group := list(islice(patches, batch)):
        estimates = estimate(torch.cat([patch for patch, _ in group], dim=1))
        for (_, n_frames), total in zip(group, estimates.chunk(len(group), dim=2)):
            if rest is not None:
                total = total + F.pad(rest, (*[0] * 6, 0, patch_shift))
            if n_frames:
                yield total[:, :n_frames] / n_overlapping
            rest = total[:, patch_shift:]


def _cut_patches(
    blocks: Iterable[torch.Tensor], shift: int, n_overlapping: int
) -> Iterator[_Patch]:
    """Patches of `n_overlapping` pieces of `shift` frames, one piece after each other.

    Yields:
        A patch, and how many frames of its first piece are the song's: none of the silence before
        it, few of its last piece.
    """
    held: List[_Patch] = []
    for piece, n_frames in _cut_pieces(blocks, shift):
        if not held:
            held = [(torch.zeros_like(piece), 0)] * (n_overlapping - 1)
        held.append((piece, n_frames))
        yield torch.cat([piece for piece, _ in held]), held[0][1]
        held = held[1:]
    for k in range(1, len(held) + 1):
        pieces = [piece for piece, _ in held[k - 1 :]] + [torch.zeros_like(held[0][0])] * k
        yield torch.cat(pieces), held[k - 1][1]


def _cut_pieces(blocks: Iterable[torch.Tensor], size: int) -> Iterator[_Patch]:
    """Pieces of `size` frames and how many of them are the song's; the last is filled up."""
    held = None
    for block in blocks:
        held = block if held is None else torch.cat([held, block])
        *full, held = held.split(size)
        yield from ((piece, size) for piece in full)
    if held is not None:
        n_frames = len(held)
        yield F.pad(held, (*[0] * 6, 0, size - n_frames)), n_frames


def averaged_over_flip(estimate: Estimator) -> Estimator:
    """The mean of what an estimator makes of the channels in their order and in the reverse."""

    def estimate_both(magnitudes: torch.Tensor) -> torch.Tensor:
        flipped = estimate(magnitudes.flip(2)).flip(3)
        return (estimate(magnitudes) + flipped) / 2

    return estimate_both

"""A spectrogram of any length through a network that wants patches of a fixed number of frames.

Patches overlap and their estimates are averaged with equal weights, the published inference of
D3Net. A patch that reaches beyond the song is filled up with silence.
"""

from typing import Callable

import torch
import torch.nn.functional as F

Estimator = Callable[[torch.Tensor], torch.Tensor]


def overlap_add_patches(
    estimate: Estimator,
    magnitudes: torch.Tensor,
    patch_frames: int,
    patch_shift: int,
    flip_channels: bool = False,
) -> torch.Tensor:
    """Mean of the estimates of all patches that hold a frame, for every frame.

    Args:
        estimate: (patch_frames, B, C, F) -> (J, patch_frames, B, C, F).
        magnitudes: (N, B, C, F), any number of frames N >= 1.
        patch_frames: Frames of a patch, a multiple of `patch_shift`.
        patch_shift: Frames from one patch to the next.
        flip_channels: Whether each patch is also estimated with its channels in reverse order,
            and the mean of both taken; twice the work.

    Returns:
        (J, N, B, C, F)
    """
    n_frames = len(magnitudes)
    n_overlapping = patch_frames // patch_shift
    n_before = patch_frames - patch_shift
    n_patches = -(-n_frames // patch_shift) + n_overlapping - 1
    n_padded = (n_patches - 1) * patch_shift + patch_frames
    n_after = n_padded - n_before - n_frames
    padded = F.pad(magnitudes, (0, 0, 0, 0, 0, 0, n_before, n_after))
    if flip_channels:
        estimate = _averaged_over_flip(estimate)
    total = None
    for start in range(0, n_patches * patch_shift, patch_shift):
        patch = estimate(padded[start : start + patch_frames])
        if total is None:
            total = patch.new_zeros(len(patch), *padded.shape)
        total[:, start : start + patch_frames] += patch
    return total[:, n_before : n_before + n_frames] / n_overlapping


def _averaged_over_flip(estimate: Estimator) -> Estimator:
    def estimate_both(magnitudes: torch.Tensor) -> torch.Tensor:
        flipped = estimate(magnitudes.flip(2)).flip(3)
        return (estimate(magnitudes) + flipped) / 2

    return estimate_both

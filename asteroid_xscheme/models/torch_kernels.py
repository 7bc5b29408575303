"""Undocumented kernels of torch; the package uses none anywhere else.

Documented functions do the same in more passes over memory. If a torch release drops a kernel, the
error says so, and `tests/models/torch_kernels_test.py` fails.
"""

from typing import Callable, Sequence, Tuple

import torch

_NormGradients = Tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def group_norm(
    features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, eps: float
) -> Tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Normalisation of (B, channels, N) as one group: output, mean (B, 1) and 1 / deviation."""
    return _kernel("native_group_norm")(features, weight, bias, *features.shape, 1, eps)


def group_norm_backward(
    gradient: torch.Tensor,
    features: torch.Tensor,
    mean: torch.Tensor,
    rstd: torch.Tensor,
    weight: torch.Tensor,
) -> _NormGradients:
    """Gradients of features, weight and bias of :func:`group_norm`."""
    wanted = [True, True, True]
    return _kernel("native_group_norm_backward")(
        gradient, features, mean, rstd, weight, *features.shape, 1, wanted
    )


def where_positive(values: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """The values where the features are above 0, else 0."""
    return _kernel("threshold_backward")(values, features, 0)


def overlap_add(frames: torch.Tensor, shape: Sequence[int], hop: int) -> torch.Tensor:
    """Sum of frames (..., N, n), `hop` samples apart, in a tensor of `shape` (..., samples)."""
    return _kernel("unfold_backward")(frames, list(shape), -1, frames.shape[-1], hop)


def _kernel(name: str) -> Callable:
    try:
        return getattr(torch.ops.aten, name)
    except AttributeError:
        raise RuntimeError(
            f"torch {torch.__version__} has no aten::{name}, which {__name__} calls. Install an "
            "earlier torch, and please report this."
        ) from None

"""Undocumented kernels of torch; the package uses none anywhere else.

Documented functions do the same in more passes over memory. If a torch release drops a kernel, the
error says so, and `tests/models/torch_kernels_test.py` fails.
"""

from typing import Callable, Sequence

import torch


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

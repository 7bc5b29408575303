"""Undocumented kernels of torch; the package uses none anywhere else.

Documented functions do the same in more passes over memory. If a torch release drops a kernel, the
error says so, and `tests/models/torch_kernels_test.py` fails.
"""

from typing import Any, Callable, Sequence, Tuple

import torch
import torch.nn.functional as F

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


def add_convolution(
    total: torch.Tensor,
    features: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    dilation: Sequence[int],
) -> None:
    """Add to `total` a convolution by 3 x 3 kernels that keeps the size of the map.

    oneDNN adds while it computes if the maps are contiguous, channels first or last.
    """
    weight, bias = weight.to(total.dtype), bias.to(total.dtype)
    geometry: Any = dilation, (1, 1), dilation, 1  # padding, stride, dilation, groups
    if torch.jit.is_tracing() or not _is_for_onednn(total):
        padding, stride, *others = geometry
        total += F.conv2d(features, weight, bias, stride, padding, *others)
        return
    kernel = _kernel("_convolution_pointwise_", "mkldnn")
    kernel(total, features, weight, bias, *geometry, "add", 1.0, None, [], None)


def _is_for_onednn(features: torch.Tensor) -> bool:
    """Whether torch would give a convolution of the features to oneDNN."""
    if features.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    if features.dtype == torch.bfloat16:
        return _kernel("_is_mkldnn_bf16_supported", "mkldnn")()
    return features.dtype == torch.float32


def _kernel(name: str, library: str = "aten") -> Callable:
    try:
        return getattr(getattr(torch.ops, library), name)
    except AttributeError:
        raise RuntimeError(
            f"torch {torch.__version__} has no {library}::{name}, which {__name__} calls. Install "
            "an earlier torch, and please report this."
        ) from None

"""The precision of losses, which does not depend on the precision of the network.

The long sums of a loss lose digits in float32 and are meaningless in half precision, so sums are
accumulated in float64 and elementwise work is done in float32 or better, under autocast too.
"""

from contextlib import nullcontext
from typing import ContextManager

import torch


def accumulation_dtype(device: torch.device) -> torch.dtype:
    """Type of long sums on a device: float64, or float32 on Apple GPUs, which have no other."""
    return torch.float32 if device.type == "mps" else torch.float64


def working_dtype(*tensors: torch.Tensor) -> torch.dtype:
    """Type of elementwise work on tensors: the widest of theirs, but at least float32."""
    dtype = torch.float32
    for tensor in tensors:
        dtype = torch.promote_types(dtype, tensor.dtype)
    return dtype


def full_precision(device: torch.device) -> ContextManager:
    """Context in which autocast leaves the operations on a device as they are."""
    try:
        return torch.autocast(device.type, enabled=False)
    except RuntimeError:  # the device has no autocast, as "meta"
        return nullcontext()

"""Allocate tensors in memory that a loading process shares with its parent.

This uses a private name of torch, as torch's own collate function does. The public `share_memory_`
would have to copy a finished tensor.
"""

import math

import torch


def shared_empty(*shape: int) -> torch.Tensor:
    """An uninitialised float32 tensor in shared memory.

    Raises:
        RuntimeError: If this version of torch cannot allocate it.
    """
    try:
        allocate = torch.UntypedStorage._new_shared
    except AttributeError:
        raise RuntimeError(
            f"torch {torch.__version__} has no UntypedStorage._new_shared, which loading batches "
            "needs: use --num_workers 0 or another version of torch, and please report this."
        ) from None
    return torch.empty(0).set_(allocate(4 * math.prod(shape))).view(shape)

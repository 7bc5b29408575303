"""Tensors in the memory that a loading process shares with its parent.

The one place that uses a private name of torch. Its own collate function allocates batches in the
same way; the public `share_memory_` would move a tensor there after it was made, which is a copy.
"""

import math

import torch


def shared_empty(*shape: int) -> torch.Tensor:
    """A float32 tensor of shared memory, whatever it holds.

    Raises:
        RuntimeError: If this torch has no such allocation.
    """
    try:
        allocate = torch.UntypedStorage._new_shared
    except AttributeError:
        raise RuntimeError(
            f"torch {torch.__version__} has no UntypedStorage._new_shared, which loading batches "
            "needs: use --num_workers 0 or another version of torch, and please report this."
        ) from None
    return torch.empty(0).set_(allocate(4 * math.prod(shape))).view(shape)

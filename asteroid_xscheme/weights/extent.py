"""How much a file may ask for: a few times its own size, of memory and of values.

A few bytes can claim a tensor of 93 GiB, and thirty lists of the list before them hold a thousand
million values. Weights hardly shrink when they are packed, so that whatever asks for many times
its size is refused before anything is allocated.
"""

from pathlib import Path
from typing import Any, Dict, Tuple, Union

import torch

from .diagnosis import CheckpointError, DamagedFileError

_EXPANSION = 16  # times its size, which a file may ask for
_ALLOWANCE = 1 << 16  # bytes that any file may ask for
_DEPTH = 64  # containers within each other


def check_size(path: Union[str, Path], claimed: int, n_bytes: int) -> None:
    """Refuse a file of `n_bytes` that claims to hold more than its size allows.

    Raises:
        CheckpointError: If it does.
    """
    if claimed > _EXPANSION * n_bytes + _ALLOWANCE:
        raise CheckpointError(
            f"{path} is refused: it has {n_bytes} bytes but claims to contain {claimed:.3g}. "
            "Weights do not compress that well; get the file from its author again."
        )


def check_extent(value: Any, path: Union[str, Path], n_bytes: int) -> None:
    """The same for what was read: values count as often as they occur, tensors by their bytes.

    Raises:
        CheckpointError: If it holds more than the file's size allows.
        DamagedFileError: If it holds itself, is nested too deeply or holds what is no plain value.
    """
    try:
        claimed, _ = _measure(value, {}, 0)
    except _NotPlain as error:
        raise DamagedFileError(
            f"{path} is damaged ({error}). Delete it and download it again."
        ) from error
    check_size(path, claimed, n_bytes)


class _NotPlain(Exception):
    """A value that a package cannot have."""


_IN_WORK = (0, 0)
_LEAVES = (str, int, float, bool, type(None), bytes, torch.dtype)


def _measure(value: Any, known: Dict[int, Tuple[int, int]], depth: int) -> Tuple[int, int]:
    """Size and height of a tree of values; a container is measured once, wherever it occurs."""
    if isinstance(value, torch.Tensor):
        return 1 + value.numel() * value.element_size(), 0
    if type(value) in _LEAVES:
        return 1, 0
    if not isinstance(value, (dict, list, tuple)):
        raise _NotPlain(f"it contains a {type(value).__name__}")
    if id(value) not in known and depth < _DEPTH:
        known[id(value)] = _IN_WORK
        items = value.values() if isinstance(value, dict) else value
        sizes, heights = zip((0, 0), *(_measure(item, known, depth + 1) for item in items))
        known[id(value)] = 1 + sum(sizes), 1 + max(heights)
    size, height = known.get(id(value), (0, _DEPTH))
    if (size, height) == _IN_WORK:
        raise _NotPlain("it contains a list or dictionary that contains itself")
    if depth + height > _DEPTH:
        raise _NotPlain(f"its values are nested more than {_DEPTH} levels deep")
    return size, height

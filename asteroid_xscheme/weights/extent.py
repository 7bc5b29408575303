"""Limit the memory and the number of values that a file may claim to a multiple of its size.

A few bytes can claim a tensor of 93 GiB, and thirty lists that each contain the previous one twice
hold a billion values. Weights hardly compress, so a file that claims many times its own size is
refused before anything is allocated.
"""

from pathlib import Path
from typing import Any, Dict, Tuple, Union

import torch

from .diagnosis import CheckpointError, DamagedFileError

_EXPANSION = 16  # a file may claim this many times its own size,
_ALLOWANCE = 1 << 16  # and this many bytes more
_DEPTH = 64  # nested containers


def check_size(path: Union[str, Path], claimed: int, n_bytes: int) -> None:
    """Refuse a file that claims to contain far more than its size allows.

    Args:
        path: File, for the message.
        claimed: Bytes or values that it claims to contain.
        n_bytes: Size of the file in bytes.

    Raises:
        CheckpointError: If it claims too much.
    """
    if claimed > _EXPANSION * n_bytes + _ALLOWANCE:
        raise CheckpointError(
            f"{path} is refused: it has {n_bytes} bytes but claims to contain {claimed:.3g}. "
            "Weights do not compress that well; get the file from its author again."
        )


def check_extent(value: Any, path: Union[str, Path], n_bytes: int) -> None:
    """Refuse the content of a file if it expands to far more than the file's size allows.

    A value counts as often as it occurs, a tensor by its bytes.

    Args:
        value: Nested containers of tensors and plain values, as read from the file.
        path: File, for the message.
        n_bytes: Size of the file in bytes.

    Raises:
        CheckpointError: If the content is too large.
        DamagedFileError: If a container contains itself or is nested too deeply, or a value is not
            of a plain type.
    """
    try:
        claimed, _ = _measure(value, {}, 0)
    except _NotPlain as error:
        raise DamagedFileError(
            f"{path} is damaged ({error}). Delete it and download it again."
        ) from error
    check_size(path, claimed, n_bytes)


class _NotPlain(Exception):
    """A value that a package cannot contain."""


_IN_WORK = (0, 0)
_LEAVES = (str, int, float, bool, type(None), bytes, torch.dtype)


def _measure(value: Any, known: Dict[int, Tuple[int, int]], depth: int) -> Tuple[int, int]:
    """Size and height of a tree of values; each container is measured once."""
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

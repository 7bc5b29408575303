"""Find and replace the first tensor among the inputs or outputs of a module."""

import copy
from typing import Any, Optional

import torch


def first_tensor(values: Any) -> Optional[torch.Tensor]:
    """Find the first tensor in nested tuples, lists and dictionaries; None if there is none."""
    if isinstance(values, torch.Tensor):
        return values
    items = values.values() if isinstance(values, dict) else values
    if isinstance(values, (tuple, list, dict)):
        return next((x for x in map(first_tensor, items) if x is not None), None)
    return None


def replace_first_tensor(values: Any, tensor: torch.Tensor) -> Any:
    """Copy nested values, keeping their types, with the first tensor replaced."""
    if isinstance(values, torch.Tensor):
        return tensor
    keys = values if isinstance(values, dict) else range(len(values))
    first = next(key for key in keys if first_tensor(values[key]) is not None)
    replaced = replace_first_tensor(values[first], tensor)
    if not isinstance(values, tuple):
        changed = copy.copy(values)
        changed[first] = replaced
        return changed
    items = (*values[:first], replaced, *values[first + 1 :])
    return items if type(values) is tuple else type(values)(*items)

"""The hooks of a module: the only place that uses torch's undocumented names for them."""

from typing import Any, Callable

import torch
from torch import nn

_NAMES = ("_forward_pre_hooks", "_forward_hooks")


def remove_hooks(module: nn.Module, is_unwanted: Callable[[Any], bool]) -> None:
    """Remove forward hooks from a module, whoever registered them.

    Raises:
        RuntimeError: If this torch keeps hooks elsewhere.
    """
    for name in _NAMES:
        try:
            hooks = getattr(module, name)
        except AttributeError:
            raise RuntimeError(
                f"torch {torch.__version__} has no nn.Module.{name}, by which networks that were "
                "bridged before are freed. Install an earlier torch, and please report it."
            ) from None
        for key in [key for key, hook in hooks.items() if is_unwanted(hook)]:
            del hooks[key]

"""Thread-wide and process-wide states of torch and Python that coroutines share.

A context that one coroutine opens would also apply to the others until it is closed. Gradient and
autocast modes can be set at any time, so they are swapped whenever the coroutine changes
(`ThreadModes`). Other contexts can only be opened and closed in order; :func:`foreign_state`
detects one that is open.
"""

import warnings
from operator import attrgetter
from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple

import torch

_DEVICES = ("cpu", "cuda", "mps", "xpu")


class ThreadModes(NamedTuple):
    """Whether gradients are recorded, and the autocast settings of each kind of device."""

    grad: bool
    autocast: Tuple[Tuple[str, bool, torch.dtype], ...]
    keeps_casts: bool

    @classmethod
    def current(cls) -> "ThreadModes":
        """The current modes."""
        return cls(
            torch.is_grad_enabled(),
            tuple(
                (device, torch.is_autocast_enabled(device), torch.get_autocast_dtype(device))
                for device in _DEVICES
            ),
            torch.is_autocast_cache_enabled(),
        )

    def set(self) -> None:
        """Make these the current modes."""
        torch.set_grad_enabled(self.grad)
        for device, is_enabled, dtype in self.autocast:
            torch.set_autocast_enabled(device, is_enabled)
            torch.set_autocast_dtype(device, dtype)
        torch.set_autocast_cache_enabled(self.keeps_casts)


def surroundings() -> Dict[str, Any]:
    """States that coroutines share and cannot swap, keyed by what opens them."""
    has_cuda = torch.cuda.is_initialized()
    return {
        "torch.inference_mode": torch.is_inference_mode_enabled(),
        "activation checkpointing or other hooks on saved tensors": (
            _undocumented("_autograd._top_saved_tensors_default_hooks")(True)
        ),
        "a torch function mode (such as `with torch.device`)": (
            _undocumented("_len_torch_function_stack")()
        ),
        "a torch dispatch mode": _undocumented("_len_torch_dispatch_stack")(),
        "another default dtype": torch.get_default_dtype(),
        "another choice of attention kernels": (
            torch.backends.cuda.flash_sdp_enabled(),
            torch.backends.cuda.mem_efficient_sdp_enabled(),
            torch.backends.cuda.math_sdp_enabled(),
        ),
        "warnings.catch_warnings": id(warnings.filters),
        "another CUDA stream": torch.cuda.current_stream() if has_cuda else None,
        "another CUDA device": torch.cuda.current_device() if has_cuda else None,
    }


def _undocumented(name: str) -> Callable:
    """An undocumented function of torch, for a state that no documented function reports."""
    try:
        return attrgetter(name)(torch._C)
    except AttributeError:
        raise RuntimeError(
            f"torch {torch.__version__} has no torch._C.{name}, which bridged networks need to "
            "detect shared states. Install an earlier torch, and please report this."
        ) from None


def foreign_state(before: Dict[str, Any], now: Dict[str, Any]) -> Optional[str]:
    """The name of a state that has changed since `before`, or None."""
    for name, value in before.items():
        if now[name] != value:
            return name
    return None

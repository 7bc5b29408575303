"""A package's arguments and weights -> a model, or a one-line error that says what does not fit.

Files may be untrusted, so the arguments are checked against the model's signature before it is
built, and building it may not take more memory than its weights.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Callable, List, Type, TypeVar

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from ..weights import CheckpointError
from ..weights.diagnosis import shorten
from .checks import check_arguments

Model = TypeVar("Model", bound=nn.Module)

_FACTORIES = (
    torch.arange,
    torch.empty,
    torch.eye,
    torch.full,
    torch.hann_window,
    torch.ones,
    torch.rand,
    torch.randn,
    torch.zeros,
)
_SPARE_BYTES, _SPARE_TENSORS = 1 << 28, 1 << 10  # that a model may make besides its weights
_MISFITS = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def build_model(
    model_class: Type[Model],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    state_dict: Mapping[str, torch.Tensor],
    origin: str,
) -> Model:
    """Build a model from arguments and weights.

    Args:
        model_class: Class of the model.
        args: Its positional arguments.
        kwargs: The others.
        state_dict: What its `load_state_dict` takes.
        origin: Name of the package in errors.

    Raises:
        CheckpointError: If arguments or weights are missing, unknown or of another type or shape.
    """
    try:
        check_arguments(model_class, *args, **kwargs)
        with _WithinWeights(state_dict):
            model = model_class(*args, **kwargs)
    except _MISFITS as error:
        reason = str(error).strip().partition("\n")[0][:300] or type(error).__name__
        raise CheckpointError(
            f"{origin}: its arguments do not build a {model_class.__name__}: {reason}"
        ) from error
    _check_weights(model.state_dict(), state_dict, f"{origin}: its weights")
    model.load_state_dict(state_dict)
    return model


class _WithinWeights(TorchFunctionMode):
    """A context in which a model may only create about as many and as large tensors as its
    weights."""

    def __init__(self, state_dict: Mapping[str, torch.Tensor]):
        super().__init__()
        n_values = sum(tensor.numel() for tensor in state_dict.values())
        self._bytes_left = 4 * 8 * n_values + _SPARE_BYTES
        self._tensors_left = 4 * len(state_dict) + _SPARE_TENSORS

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in _FACTORIES:
            self._bytes_left -= _n_bytes(func, args, kwargs)
            self._tensors_left -= 1
            if min(self._bytes_left, self._tensors_left) < 0:
                raise ValueError("they ask for far more parameters than the file has.")
        return func(*args, **kwargs)


def _n_bytes(func: Callable[..., torch.Tensor], args: Sequence[Any], kwargs: dict) -> int:
    """Size of what a factory makes, without making it."""
    if func is torch.hann_window and args:  # on "meta" it loads torch's compiler, for seconds
        func, args = torch.empty, args[:1]
        kwargs = {name: value for name, value in kwargs.items() if name != "periodic"}
    return func(*args, **{**kwargs, "device": "meta"}).nbytes


def _check_weights(
    expected: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor], what: str
) -> None:
    """Name tensors that are missing, unknown, or of the wrong shape or type."""
    problems = [f"{name} is missing" for name in expected if name not in given]
    # counters of steps, which torch has only since 0.4.1 and starts at 0 itself
    problems = [each for each in problems if "num_batches_tracked" not in each]
    problems += [f"{name} is not part of the model" for name in given if name not in expected]
    for name in (name for name in expected if name in given):
        problems += _misfit(name, expected[name], given[name])
    if problems:
        raise CheckpointError(f"{what} do not fit the model: {shorten(problems)}.")


def _misfit(name: str, expected: torch.Tensor, given: torch.Tensor) -> List[str]:
    if given.shape != expected.shape:
        return [f"{name} has the shape {list(given.shape)}, expected {list(expected.shape)}"]
    if expected.is_floating_point() and not given.is_floating_point():
        return [f"{name} has the type {given.dtype}, expected {expected.dtype}"]
    return []

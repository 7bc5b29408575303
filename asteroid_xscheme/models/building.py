"""A package's arguments and weights -> a model, or one line that says what does not fit.

Arguments come from files of strangers: they are compared with the model's signature before it is
built, and building it may take no more memory than its weights do.
"""

import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any, Callable, Dict, List, Type, TypeVar, Union, get_args, get_origin

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from ..weights import CheckpointError
from ..weights.diagnosis import shorten

Model = TypeVar("Model", bound=nn.Module)

_LARGEST_SIZE = 1 << 20
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
    """A model of these arguments with these weights.

    Args:
        model_class: Any class of models.
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
            f"{origin}: its arguments do not make a {model_class.__name__}: {reason}"
        ) from error
    _check_weights(model.state_dict(), state_dict, f"{origin}: its weights")
    model.load_state_dict(state_dict)
    return model


def check_arguments(function: Callable, *args: Any, **kwargs: Any) -> None:
    """Compare arguments with a signature and its annotations.

    Raises:
        ValueError: If an argument is missing, unknown or of another type.
    """
    signature = inspect.signature(function)
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        raise ValueError(f"{error}.") from error
    for name, value in bound.arguments.items():
        parameter = signature.parameters[name]
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if not _fits(value, parameter.annotation):
            expected = _describe(parameter.annotation)
            raise ValueError(f"Expected {name} as {expected}, got {value!r:.80}.")


def check_sizes(**sizes: Any) -> None:
    """Refuse a size that is no whole number of at least 1, or is beyond any use.

    Raises:
        ValueError: With the name of the first one.
    """
    for name, size in sizes.items():
        whole = isinstance(size, (int, np.integer)) and not isinstance(size, bool)
        if not whole or not 1 <= size <= _LARGEST_SIZE:
            raise ValueError(
                f"Expected {name} as a whole number from 1 to {_LARGEST_SIZE}, got {size!r:.80}."
            )


def check_power(spec_power: Any) -> None:
    """Refuse an exponent of spectrograms that is no positive number.

    Raises:
        ValueError: If it is not.
    """
    if not _is_number(spec_power) or spec_power <= 0:
        raise ValueError(f"Expected spec_power as a positive number, got {spec_power!r:.80}.")


class _WithinWeights(TorchFunctionMode):
    """Within, a model may make about as many and as large tensors as its weights are."""

    def __init__(self, state_dict: Mapping[str, torch.Tensor]):
        super().__init__()
        n_values = sum(tensor.numel() for tensor in state_dict.values())
        self._bytes_left = 4 * 8 * n_values + _SPARE_BYTES
        self._tensors_left = 4 * len(state_dict) + _SPARE_TENSORS

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in _FACTORIES:
            self._bytes_left -= func(*args, **{**kwargs, "device": "meta"}).nbytes
            self._tensors_left -= 1
            if min(self._bytes_left, self._tensors_left) < 0:
                raise ValueError("they ask for far more than there are weights.")
        return func(*args, **kwargs)


def _check_weights(
    expected: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor], what: str
) -> None:
    """Name what is missing, too much, or of another shape or type."""
    problems = [f"{name} is missing" for name in expected if name not in given]
    # counters of steps, which torch has only since 0.4.1 and starts at 0 itself
    problems = [each for each in problems if "num_batches_tracked" not in each]
    problems += [f"{name} is unknown to it" for name in given if name not in expected]
    for name in (name for name in expected if name in given):
        problems += _misfit(name, expected[name], given[name])
    if problems:
        raise CheckpointError(f"{what} do not fit the model: {shorten(problems)}.")


def _misfit(name: str, expected: torch.Tensor, given: torch.Tensor) -> List[str]:
    if given.shape != expected.shape:
        return [f"{name} has the shape {list(given.shape)}, expected {list(expected.shape)}"]
    if expected.is_floating_point() and not given.is_floating_point():
        return [f"{name} is of {given.dtype}, expected {expected.dtype}"]
    return []


def _fits(value: Any, annotation: Any) -> bool:
    """Whether a value is of an annotated type; what is no type that we know fits."""
    kind, inner = get_origin(annotation), get_args(annotation)
    if kind is Union:
        return any(_fits(value, each) for each in inner)
    if kind is not None and issubclass(kind, Sequence):
        items = isinstance(value, (list, tuple)) or isinstance(value, str) and str in inner
        return items and all(_fits(item, inner[0]) for item in value)
    if kind is not None:
        return isinstance(value, kind)
    if annotation in (int, float):
        return _is_number(value) and (annotation is float or value == int(value))
    if annotation is np.ndarray and isinstance(value, (list, tuple)):
        return all(map(_is_number, value))
    known = isinstance(annotation, type) and annotation is not inspect.Parameter.empty
    return isinstance(value, annotation) if known else True


def _is_number(value: Any) -> bool:
    real = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    return real and math.isfinite(value)


def _describe(annotation: Any) -> str:
    """An annotation in words."""
    words: Dict[Any, str] = {int: "a whole number", float: "a finite number", bool: "True or False"}
    words.update({str: "a string", type(None): "None"})
    if get_origin(annotation) is Union:
        return " or ".join(map(_describe, get_args(annotation)))
    if annotation in words:
        return words[annotation]
    if get_origin(annotation) is not None and issubclass(get_origin(annotation), Sequence):
        return f"a list, each {_describe(get_args(annotation)[0])}"
    return (
        "a dictionary" if get_origin(annotation) is Mapping else getattr(annotation, "__name__", "")
    )

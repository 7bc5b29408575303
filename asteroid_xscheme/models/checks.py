"""Check arguments of models, which may come from an untrusted file."""

import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any, Callable, Dict, Union, get_args, get_origin

import numpy as np

_LARGEST_SIZE = 1 << 20


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
            raise ValueError(f"Expected {name} to be {expected}, got {value!r:.80}.")


def check_sizes(**sizes: Any) -> None:
    """Refuse a size that is not a whole number of at least 1, or is absurdly large.

    Raises:
        ValueError: If a size is invalid; names the first one.
    """
    for name, size in sizes.items():
        whole = isinstance(size, (int, np.integer)) and not isinstance(size, bool)
        if not whole or not 1 <= size <= _LARGEST_SIZE:
            raise ValueError(
                f"Expected {name} to be a whole number from 1 to {_LARGEST_SIZE}, got {size!r:.80}."
            )


def check_power(spec_power: Any) -> None:
    """Refuse an exponent of spectrograms that is not a positive number.

    Raises:
        ValueError: If it is not.
    """
    if not _is_number(spec_power) or spec_power <= 0:
        raise ValueError(f"Expected spec_power to be a positive number, got {spec_power!r:.80}.")


def _fits(value: Any, annotation: Any) -> bool:
    """Whether a value has an annotated type; annotations that we do not know always fit."""
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

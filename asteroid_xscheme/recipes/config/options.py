"""Define options as dataclass fields, and read them from YAML and the command line.

:func:`option` makes a field with a one-line explanation. :func:`from_dict` converts values from
YAML, or strings from a command line, to the declared type of the field, or raises an error that
names the option, the expected type and the value. :func:`add_arguments` adds all fields to an
`argparse` parser.
"""

import argparse
import dataclasses
import difflib
import math
import types
import typing
from typing import Any, Collection, Dict, Mapping, Optional, Sequence, Type, TypeVar

from ...errors import XSchemeError

Group = TypeVar("Group")

_WORDS = {"true": True, "yes": True, "false": False, "no": False}


class ConfigError(XSchemeError):
    """An option does not exist or has an invalid value."""


@dataclasses.dataclass(frozen=True)
class Bounds:
    """Limits of a number; each may be None.

    Attributes:
        above, below: The number must be greater or less than these.
        least, most: The smallest and the largest allowed number.
    """

    above: Optional[float] = None
    below: Optional[float] = None
    least: Optional[float] = None
    most: Optional[float] = None

    def __contains__(self, value: float) -> bool:
        return (
            math.isfinite(value)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
            and (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
        )

    def __str__(self) -> str:
        words = {
            "above": self.above,
            "at least": self.least,
            "below": self.below,
            "at most": self.most,
        }
        return " and ".join(f"{word} {v}" for word, v in words.items() if v is not None) or "finite"


def option(
    default: Any,
    help: str,
    affects_result: bool = True,
    above: Optional[float] = None,
    below: Optional[float] = None,
    least: Optional[float] = None,
    most: Optional[float] = None,
) -> Any:
    """Make a dataclass field that is an option.

    Args:
        default: The default value; lists and dicts are copied.
        help: The explanation, one line.
        affects_result: Whether results depend on the option. They do not depend on where files are,
            only on their contents.
        above, below, least, most: Limits of a number, or of each number of a list; see `Bounds`.
    """
    bounds = Bounds(above, below, least, most)
    metadata = {"help": help, "affects_result": affects_result, "bounds": bounds}
    if isinstance(default, (list, dict)):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def from_dict(group: Type[Group], values: Mapping[str, Any], where: str) -> Group:
    """Make a group of options from a mapping of names to values.

    Args:
        group: Dataclass whose fields are options.
        values: Values by option name; missing options keep their default.
        where: Name of the group in error messages.

    Raises:
        ConfigError: If a name is unknown, or a value has the wrong type or is out of bounds.
    """
    hints = typing.get_type_hints(group)
    for name in values:
        if name not in hints:
            raise ConfigError(_unknown(name, hints, where))
    converted = {name: convert(name, value, hints[name]) for name, value in values.items()}
    try:
        made = group(**converted)
    except ConfigError:
        raise
    except ValueError as error:  # from the configuration class of a model
        raise ConfigError(f"{where}: {error}") from error
    check_bounds(made)
    return made


def result_options(group: Any) -> Dict[str, Any]:
    """The options of a group that affect results, by name."""
    return {
        field.name: getattr(group, field.name)
        for field in dataclasses.fields(group)
        if field.metadata.get("affects_result", True)
    }


def convert(name: str, value: Any, kind: Any) -> Any:
    """Convert `value`, from YAML or the command line, to the type `kind` of option `name`.

    Raises:
        ConfigError: If it cannot be converted.
    """
    members = _members(kind)
    if str in members and isinstance(value, list) and len(value) == 1:
        value = value[0]  # on a command line, a single name arrives as a list of one
    for member in sorted(members, key=lambda member: member is not type(None)):
        try:
            return _convert_to(value, member)
        except (TypeError, ValueError):
            continue
    expected = " or ".join(_type_name(member) for member in members)
    raise ConfigError(f"Option {name} expects {expected}, got {value!r}.")


def add_arguments(parser: argparse.ArgumentParser, group: Any, title: str) -> None:
    """Add `--name` for every option of a group; options that are not given stay absent.

    Args:
        parser: The parser.
        group: Options; --help shows their values as the defaults.
        title: Heading of the group in --help.
    """
    arguments = parser.add_argument_group(title)
    hints = typing.get_type_hints(type(group))
    for field in dataclasses.fields(group):
        members = _members(hints[field.name])
        if all(typing.get_origin(member) is dict for member in members):
            continue  # mappings can only be given in conf.yml
        several = any(typing.get_origin(member) is list for member in members)
        default = getattr(group, field.name)
        arguments.add_argument(
            f"--{field.name}",
            nargs="*" if several else None,
            default=argparse.SUPPRESS,
            metavar=_type_name(members[0]).rstrip("."),
            help=f"{field.metadata['help']} [{_show(default)}]".replace("%", "%%"),
        )


def _members(kind: Any) -> Sequence[Any]:
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return typing.get_args(kind)
    return (kind,)


def _convert_to(value: Any, kind: Any) -> Any:
    if kind is type(None):
        if value in (None, "none", "null", "", ["none"], ["null"]):
            return None
        raise ValueError
    if kind is bool:
        return _to_bool(value)
    if typing.get_origin(kind) is list:
        return _to_list(value, *typing.get_args(kind))
    if typing.get_origin(kind) is dict:
        if not isinstance(value, Mapping):
            raise TypeError
        return dict(value)
    if kind is str and isinstance(value, list) and len(value) == 1:
        value = value[0]  # a single value of an option that also takes a list: `--network small`
    if value is None or isinstance(value, (bool, list, Mapping)):
        raise TypeError
    if kind is int and isinstance(value, float) and not value.is_integer():
        raise ValueError
    return kind(value)


def _to_bool(value: Any) -> bool:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool):
        return value
    return _WORDS[value.lower()] if str(value).lower() in _WORDS else _refuse()


def _to_list(value: Any, kind: Any) -> list:
    if value is None or isinstance(value, Mapping):
        raise TypeError
    items = value if isinstance(value, (list, tuple)) else [value]
    return [_convert_to(item, kind) for item in items]


def _refuse() -> bool:
    raise ValueError


def _type_name(kind: Any) -> str:
    if kind is type(None):
        return "none"
    if typing.get_origin(kind) is list:
        return f"{_type_name(typing.get_args(kind)[0])}..."
    if typing.get_origin(kind) is dict:
        return "mapping"
    return {Any: "anything", str: "text", int: "integer", float: "number", bool: "yes/no"}[kind]


def _show(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return str(value)


def _unknown(name: str, known: Mapping[str, Any], where: str) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]}?" if close else f" It has: {', '.join(known)}."
    return f"{where} has no option {name!r}.{hint}"


def check_one_of(name: str, value: str, known: Collection[str]) -> None:
    """Raise ConfigError unless `value` of option `name` is one of `known`."""
    if value not in known:
        raise ConfigError(f"{name} must be one of {', '.join(known)}, got {value!r}.")


def check_bounds(group: Any) -> None:
    """Raise ConfigError unless every number in a group is finite and within its limits."""
    for field in dataclasses.fields(group):
        value, bounds = getattr(group, field.name), field.metadata.get("bounds", Bounds())
        for number in value if isinstance(value, list) else [value]:
            is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
            if is_number and number not in bounds:
                raise ConfigError(f"{field.name} must be {bounds}, got {number}.")

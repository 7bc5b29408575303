"""Networks by name: what a file of weights may ask for, and what a configuration may import.

A file only *names* the class of its networks. The class comes from whoever reads the file: given
to `from_pretrained`, or made known before by `register_network`. Nothing is imported because a file
says so. A conf.yml is a program of its user's own, whose names are imported.
"""

import importlib
from typing import Any, Callable, Dict, Optional

from ..errors import XSchemeError
from ..weights import CheckpointError

_KNOWN: Dict[str, Callable] = {}


def name_of(thing: Callable) -> str:
    """The name of a class or function, "module:Class"."""
    return f"{thing.__module__}:{thing.__qualname__}"


def register_network(network: Callable) -> Callable:
    """Make a class of networks (or an adapter) known to files that name it; returns it.

    Works as a decorator. The file says which name it wants.
    """
    _KNOWN[name_of(network)] = network
    return network


def known_network(name: str, argument: str) -> Callable:
    """What was registered under a name that a file holds.

    Args:
        name: "module:Class".
        argument: The argument of `from_pretrained` that can give it.

    Raises:
        CheckpointError: If it was not; nothing is imported.
    """
    if name in _KNOWN:
        return _KNOWN[name]
    module, _, short = name.partition(":")
    raise CheckpointError(
        f"The file wants the {argument} {name}, which no file can import: `from {module} import "
        f"{short}`, then from_pretrained(..., {argument}={short}), or register_network({short})."
    )


def import_network(name: str) -> Callable:
    """What a user's own "module:Class" names, imported and registered.

    Raises:
        XSchemeError: If there is no such module, or nothing of that name in it.
    """
    module, _, path = name.partition(":")
    if not path:
        raise XSchemeError(f"Expected a network as module:Class, got {name!r}.")
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise XSchemeError(f"There is no network {name}: {error}.") from error
    _KNOWN[name] = found
    return register_network(found)


def resolve(thing: Any, given: Optional[Callable], argument: str) -> Any:
    """A class or function that an argument holds, or names; `given` stands for what it names."""
    if isinstance(thing, str):
        return given or known_network(thing, argument)
    return thing

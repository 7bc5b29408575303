"""Networks by name: which ones a weights file may refer to, and which a configuration may import.

A file only *names* the class of its networks. You supply the class when you load the file, either
as an argument of `from_pretrained` or earlier by `register_network`. Loading a file never imports
anything. The names in your own conf.yml are imported, as it is your own code.
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
    """Register a class of networks (or an adapter) for files that name it, and return it.

    Also works as a decorator. Loading a file tells you which name it needs.
    """
    _KNOWN[name_of(network)] = network
    return network


def known_network(name: str, argument: str) -> Callable:
    """The class or function that is registered under a name in a file.

    Args:
        name: "module:Class".
        argument: The argument of `from_pretrained` that can supply it.

    Raises:
        CheckpointError: If nothing is registered under it; nothing is imported.
    """
    if name in _KNOWN:
        return _KNOWN[name]
    module, _, short = name.partition(":")
    raise CheckpointError(
        f"The file needs the {argument} {name}, but files cannot import code: `from {module} "
        f"import {short}`, then from_pretrained(..., {argument}={short}), or "
        f"register_network({short})."
    )


def import_network(name: str) -> Callable:
    """Import and register the class or function that a "module:Class" names.

    Raises:
        XSchemeError: If there is no such module, or it has nothing with that name.
    """
    module, _, path = name.partition(":")
    if not (module and path) or module.startswith("."):
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

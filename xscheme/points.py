"""`xscheme points`: list the submodules of a network, their shapes, and which can be bridged."""

import argparse
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from .columns import as_columns

#: what other people's networks raise if their arguments or inputs do not fit
_REFUSALS = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


class Submodule(NamedTuple):
    """What one call of a network passes through a submodule.

    Attributes:
        name: Name in the network.
        kind: Name of the class.
        visits: How many times it was called.
        inputs: Shape of the first input tensor, or None.
        outputs: Shape of the first output tensor, or None.
        can_bridge: Whether copies of the network can be bridged at its input.
    """

    name: str
    kind: str
    visits: int
    inputs: Optional[tuple]
    outputs: Optional[tuple]
    can_bridge: bool


def add_arguments(commands) -> None:
    """Add the subcommand to the parser."""
    parser = commands.add_parser(
        "points",
        help="list the submodules of a network that can be bridged",
        description="Run a network on noise and list its submodules in the order of their calls, "
        "with the shapes of their inputs and outputs. A * marks those whose input can be bridged "
        "between copies of the network. To bridge an output instead, add :output to the name.",
    )
    parser.add_argument(
        "network",
        help="class of the network as module:Class, such as demucs.hdemucs:HDemucs; the module is "
        "imported",
    )
    parser.add_argument(
        "--args",
        default="{}",
        metavar="YAML",
        help="arguments for the class, such as '{channels: 8}' (default: none)",
    )
    parser.add_argument(
        "--shape",
        nargs="+",
        type=int,
        default=[1, 2, 44100],
        help="shape of the network's input (default: 1 2 44100: a batch of 1, stereo, 1 s)",
    )
    parser.set_defaults(run=_points)


def _points(arguments: argparse.Namespace) -> int:
    import torch
    import yaml

    from asteroid_xscheme.errors import XSchemeError
    from asteroid_xscheme.models import import_network

    try:
        args = yaml.safe_load(arguments.args)
    except yaml.YAMLError as error:
        raise XSchemeError(f"--args is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(args, dict):
        raise XSchemeError(f"--args must be a mapping such as '{{channels: 8}}', got {args!r}.")
    build = import_network(arguments.network)
    try:
        network = build(**args)
    except _REFUSALS as error:
        raise XSchemeError(f"{arguments.network} cannot be built: {error}") from error
    if not isinstance(network, torch.nn.Module):
        raise XSchemeError(
            f"{arguments.network} is not a network: its call returns {type(network).__name__}."
        )
    if min(arguments.shape) < 1:
        raise XSchemeError(f"--shape: expected sizes of 1 or more, got {arguments.shape}.")
    print(as_table(list_points(network, arguments.shape)))
    return 0


def list_points(network: Any, shape: Sequence[int]) -> List[Submodule]:
    """The submodules that a network calls, in the order of their first call.

    Args:
        network: A module that takes one tensor; it is not changed.
        shape: Shape of the noise to call it with, in eval mode and without gradients.

    Returns:
        One entry per submodule that was called as a module.

    Raises:
        XSchemeError: If the network does not accept an input of that shape.
    """
    import copy

    import torch

    network, mixture = copy.deepcopy(network).eval(), torch.randn(*shape)
    with torch.no_grad():
        seen = _watch(network, mixture)
        possible = _find_bridgeable([network, copy.deepcopy(network)], mixture, list(seen))
    return [Submodule(name, **entry, can_bridge=name in possible) for name, entry in seen.items()]


def _watch(network: Any, mixture: Any) -> Dict[str, dict]:
    """By name, the class, number of calls and shapes of each submodule that the network calls."""
    from asteroid_xscheme.errors import XSchemeError

    seen: Dict[str, dict] = {}

    def enter(name):
        def hook(module, args, kwargs):
            entry = seen.setdefault(name, {"kind": type(module).__name__, "visits": 0})
            entry["visits"] += 1
            entry.setdefault("inputs", _shape((args, kwargs)))

        return hook

    def leave(name):
        def hook(module, args, output):
            seen[name].setdefault("outputs", _shape(output))

        return hook

    hooks = []
    for name, module in network.named_modules():
        if name:
            hooks.append(module.register_forward_pre_hook(enter(name), with_kwargs=True))
            hooks.append(module.register_forward_hook(leave(name)))
    try:
        network(mixture)
    except _REFUSALS as error:
        shape = tuple(mixture.shape)
        raise XSchemeError(
            f"The network does not accept an input of shape {shape}: {error}"
        ) from error
    for hook in hooks:
        hook.remove()
    return seen


def _shape(values: Any) -> Optional[tuple]:
    from asteroid_xscheme.bridged_networks import first_tensor

    tensor = first_tensor(values)
    return None if tensor is None else tuple(tensor.shape)


def _find_bridgeable(networks: Sequence[Any], mixture: Any, names: List[str]) -> List[str]:
    """The submodules where copies can be bridged: try all at once, then each half."""
    from asteroid_xscheme.bridged_networks import BridgedNetworks, BridgingError

    if not names:
        return []
    try:
        BridgedNetworks(networks, names)(mixture)
        return names
    except BridgingError:
        if len(names) == 1:
            return []
    half = len(names) // 2
    parts = names[:half], names[half:]
    return [name for part in parts for name in _find_bridgeable(networks, mixture, part)]


def as_table(submodules: Sequence[Submodule]) -> str:
    """One line per submodule; a star marks those that can be bridged."""
    rows: List[Tuple[str, ...]] = [("", "submodule", "class", "calls", "input", "output")]
    for each in submodules:
        shapes = [" x ".join(map(str, shape or ())) or "-" for shape in (each.inputs, each.outputs)]
        mark = "*" if each.can_bridge else ""
        rows.append((mark, each.name, each.kind, str(each.visits), *shapes))
    return as_columns(rows)

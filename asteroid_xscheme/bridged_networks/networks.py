"""Run J networks in step: each runs to its next point, then all continue with the mean.

Only one network runs at a time, in list order. Between points, they draw random numbers as if they
were called one after another.

Reference: R. Sawata, N. Takahashi, S. Uhlich, S. Takahashi and Y. Mitsufuji, "The whole is greater
than the sum of its parts: improving music source separation by bridging networks", EURASIP Journal
on Audio, Speech, and Music Processing 2024:39, https://arxiv.org/abs/2305.07855.
"""

import difflib
from collections import Counter
from functools import partial
from typing import Any, List, NoReturn, Sequence, Union

import torch
from torch import nn

from ..bridge import average
from .hooks import remove_hooks
from .modes import ThreadModes
from .points import BridgingError, Meeting, Run, make_meeting, split_point

_NO_GRAPH = (
    "BridgedNetworks runs its networks in coroutines, which torch.jit, torch.export and "
    "torch.compile do not support: run it uncompiled, or compile submodules of the networks "
    "that contain no point."
)


class BridgedNetworks(nn.Module):
    """J networks that share the mean of their features at named submodules.

    The point "name" replaces the *input* of the submodule with that name by the mean over the
    networks; "name:output" replaces its *output*. If there are several inputs or outputs, in tuples
    or by keyword, the first tensor is used. A submodule that is called several times is bridged
    each time. All networks must reach the same points in the same order. Without points, they are J
    independent networks.

    A network belongs to the `BridgedNetworks` that was built with it last, and its points can only
    be reached in a call of that object. Activation checkpointing is therefore refused for *part* of
    a network that contains a point; checkpoint the whole call, or parts between points.

    Args:
        networks: J >= 1 modules; each is called with the arguments of this module's call.
        points: Names of submodules that all networks have.

    Raises:
        BridgingError: If a point is not a submodule; during a call, if the networks do not reach
            the same points, or their features cannot be averaged.
    """

    def __init__(self, networks: Sequence[nn.Module], points: Union[str, Sequence[str]]):
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.points = (points,) if isinstance(points, str) else tuple(points)
        _check_networks(networks)
        _check_points(self.points)
        submodules = [
            {id(module): module for module in _find_all(networks, name)}.values()
            for name, _ in map(split_point, self.points)
        ]
        _forget_points(self.networks)
        self._meetings = [make_meeting(point) for point in self.points]
        for meeting, modules in zip(self._meetings, submodules):
            for module in modules:
                meeting.attach(module)

    def forward(self, *args: Any, **kwargs: Any) -> List[Any]:
        """Call all networks with the same arguments.

        Returns:
            The outputs of the J networks, in list order.
        """
        if torch.jit.is_tracing() or torch.compiler.is_compiling():
            _refuse_graph()
        modes = ThreadModes.current()
        runs = [
            Run(self._meetings, index, partial(network, *args, **kwargs))
            for index, network in enumerate(self.networks)
        ]
        try:
            return self._run_in_step(runs)
        finally:
            for run in runs:
                run.stop()
            modes.set()

    def __prepare_scriptable__(self) -> nn.Module:
        """Refuse torch.jit.script, which calls this hook."""
        _refuse_graph()

    def _run_in_step(self, runs: List[Run]) -> List[Any]:
        """Run all networks from point to point until all of them have finished."""
        visits: Counter = Counter()
        arrived = [run.switch() for run in runs]
        while not all(run.dead for run in runs):
            point = _common_point(runs, arrived, visits)
            visits[point] += 1
            mean = _mean(point, [arrival.features for arrival in arrived])
            copies = [
                mean,
                *(mean.clone() for _ in runs[1:]),
            ]  # a network may change its copy in place
            arrived = [run.switch(copy) for run, copy in zip(runs, copies)]
        missed = [point for point in self.points if not visits[point]]
        if missed:
            raise BridgingError(
                f"No network reached {missed[0]!r}: its forward does not call that submodule as a "
                "module in this mode. Choose another point; `xscheme points` lists the ones that "
                "are called."
            )
        return arrived


def _refuse_graph() -> NoReturn:
    raise BridgingError(_NO_GRAPH)


# torch.compile calls a function with this attribute while it compiles, so the error reaches the
# user. torch.compiler.assume_constant_result sets the same attribute, but its import takes seconds.
setattr(_refuse_graph, "_dynamo_marked_constant", True)


def _forget_points(networks: nn.Module) -> None:
    """Remove the hooks of an earlier `BridgedNetworks`, but not those of one inside a network."""
    inside = [x for x in networks.modules() if isinstance(x, BridgedNetworks)]
    kept = {id(meeting) for module in inside for meeting in module._meetings}
    for module in networks.modules():
        remove_hooks(module, lambda hook: isinstance(hook, Meeting) and id(hook) not in kept)


def _check_networks(networks: Sequence[nn.Module]) -> None:
    if not networks:
        raise BridgingError("Expected one or more networks, got none.")
    if len({id(network) for network in networks}) < len(networks):
        raise BridgingError(
            "Expected one network per source, got the same one twice. Build each, or use "
            "copy.deepcopy."
        )


def _check_points(points: Sequence[str]) -> None:
    repeated = [point for point, count in Counter(points).items() if count > 1]
    if repeated:
        raise BridgingError(f"Expected different points, got {repeated[0]!r} more than once.")


def _find_all(networks: Sequence[nn.Module], name: str) -> List[nn.Module]:
    """The submodule with this name, from every network."""
    found = []
    for index, network in enumerate(networks):
        names = dict(network.named_modules(remove_duplicate=False))
        if name not in names:
            near = difflib.get_close_matches(name, names, n=3, cutoff=0.3)
            raise BridgingError(
                f"Network {index}, a {type(network).__name__}, has no submodule {name!r}. "
                f"Closest: {', '.join(near) or ', '.join(list(names)[1:4]) or 'it has none'}."
            )
        found.append(names[name])
    return found


def _common_point(runs: Sequence[Run], arrived: Sequence[Any], visits: Counter) -> str:
    """The point where all networks are waiting.

    Raises:
        BridgingError: If they wait at different points, or some have finished.
    """
    places = [None if run.dead else arrival.point for run, arrival in zip(runs, arrived)]
    if len(set(places)) == 1 and places[0] is not None:
        return places[0]
    described = [
        f"network {index} "
        + ("has finished" if place is None else f"is at {place!r} (visit {visits[place] + 1})")
        for index, place in enumerate(places)
    ]
    raise BridgingError(
        f"The networks do not meet: {', '.join(described)}. All networks must reach the same "
        "points, equally often and in the same order; choose points that every call reaches."
    )


def _mean(point: str, features: Sequence[torch.Tensor]) -> torch.Tensor:
    shapes = [tuple(tensor.shape) for tensor in features]
    if len(set(shapes)) > 1:
        described = ", ".join(f"network {index} {shape}" for index, shape in enumerate(shapes))
        raise BridgingError(
            f"The networks cannot be bridged at {point!r}, where their features differ in shape: "
            f"{described}. Give the networks the same size, or choose another point."
        )
    return average(features)

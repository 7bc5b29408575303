"""The points where networks meet: a hook on a submodule, and the coroutine that pauses in it.

Each network runs in its own coroutine (a greenlet). At a point it passes its features to its caller
and waits for the mean. torch keeps gradient and autocast modes per thread; here each network has
its own, so `no_grad` or `autocast` around a point neither leaks into other networks nor gets lost.
Other contexts that are open at a point would apply to the other networks too: they raise an error.
"""

from abc import ABC, abstractmethod
from contextvars import copy_context
from typing import Any, Callable, NamedTuple, Sequence, Tuple

import greenlet
import torch
from torch import nn

from ..errors import XSchemeError
from .modes import ThreadModes, foreign_state, surroundings
from .nested import first_tensor, replace_first_tensor

_OUTPUT = "output"


class BridgingError(XSchemeError):
    """Networks cannot be bridged as asked; the message says where, why, and what to do."""


class Arrival(NamedTuple):
    """A network that has reached a point, with its features."""

    point: str
    features: torch.Tensor


class Run(greenlet.greenlet):
    """One call of one network; it pauses at points."""

    def __init__(self, meetings: Sequence["Meeting"], index: int, call: Callable[[], Any]):
        super().__init__(call)
        self.gr_context = copy_context()
        self.meetings = meetings
        self.index = index
        self.around = surroundings()

    def meet(self, point: str, features: torch.Tensor) -> torch.Tensor:
        """Wait for the other networks at a point; modes of this network do not apply to them.

        Args:
            point: Name of the point.
            features: Features of this network.

        Returns:
            The mean of the features of all networks.

        Raises:
            BridgingError: If the point is inside a context that other networks would share.
        """
        foreign = foreign_state(self.around, surroundings())
        if foreign:
            raise BridgingError(
                f"Network {self.index} reaches {point!r} inside {foreign}, which would also apply "
                "to the other networks. Choose a point outside it, or turn it off; checkpointing "
                "the whole call works."
            )
        own = ThreadModes.current()
        self.callers.set()
        try:
            return self.parent.switch(Arrival(point, features))
        finally:
            own.set()

    def switch(self, *values: Any) -> Any:
        """Run to the next point and return the arrival, or to the end and return the output."""
        self.callers = ThreadModes.current()
        return super().switch(*values)

    def stop(self) -> None:
        """End a call that is waiting at a point and close its open contexts."""
        if self and not self.dead:
            self.throw(greenlet.GreenletExit)


class Meeting(ABC):
    """The hook of a point, attached to the submodule in every network."""

    def __init__(self, point: str):
        self.point = point

    @abstractmethod
    def attach(self, module: nn.Module) -> None:
        """Attach this hook to a submodule."""

    def exchange(self, values: Any) -> Any:
        """Replace the first tensor in nested values by its mean over the networks.

        Raises:
            BridgingError: If no `BridgedNetworks` is running, or there is nothing to average.
        """
        run = greenlet.getcurrent()
        if not (isinstance(run, Run) and any(self is meeting for meeting in run.meetings)):
            raise BridgingError(
                f"The point {self.point!r} was reached outside a call of BridgedNetworks: "
                "activation checkpointing recomputes one network without the others, or a network "
                "was called on its own. Checkpoint the whole call; to use a network alone, wrap "
                "it as BridgedNetworks([network], [])."
            )
        features = first_tensor(values)
        if features is None:
            raise BridgingError(
                f"No tensor passes through {self.point!r} of network {run.index}, so there is "
                "nothing to average. Choose another point."
            )
        if not (features.is_floating_point() or features.is_complex()):
            raise BridgingError(
                f"{features.dtype} at {self.point!r} of network {run.index} cannot be averaged. "
                "Choose another point."
            )
        return replace_first_tensor(values, run.meet(self.point, features))


class _InputMeeting(Meeting):
    def attach(self, module: nn.Module) -> None:
        module.register_forward_pre_hook(self, with_kwargs=True)

    def __call__(self, module: nn.Module, args: tuple, kwargs: dict) -> Tuple[tuple, dict]:
        return self.exchange((args, kwargs))


class _OutputMeeting(Meeting):
    def attach(self, module: nn.Module) -> None:
        module.register_forward_hook(self)

    def __call__(self, module: nn.Module, args: tuple, output: Any) -> Any:
        return self.exchange(output)


def make_meeting(point: str) -> Meeting:
    """Make the hook for a point, "name" or "name:output"."""
    return _OutputMeeting(point) if split_point(point)[1] else _InputMeeting(point)


def split_point(point: str) -> Tuple[str, str]:
    """Split a point into the name of its submodule and "output", or "" for the input.

    Raises:
        BridgingError: If the point has neither form.
    """
    name, _, side = point.partition(":")
    if not name or (side != _OUTPUT and name != point):
        raise BridgingError(
            f"Expected a point as 'name' (the input of a submodule) or 'name:output', got {point!r}"
        )
    return name, side

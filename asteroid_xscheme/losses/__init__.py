"""Losses of the X-scheme, and their names.

`get` and `register_loss` work like those of `asteroid.masknn.norms`: a recipe refers to its loss by
name, and you can register your own.
"""

from typing import Callable, Dict, Optional, Union

from .combination import CombinationLoss, combination_mse, combination_wsdr
from .multi_domain import MultiDomainLoss
from .waveform_l1 import WaveformL1Loss
from .weighted_sdr import weighted_sdr

__all__ = [
    "CombinationLoss",
    "MultiDomainLoss",
    "WaveformL1Loss",
    "combination_mse",
    "combination_wsdr",
    "get",
    "register_loss",
    "weighted_sdr",
]

_LOSSES: Dict[str, Callable] = {
    loss.__name__: loss
    for loss in (
        CombinationLoss,
        MultiDomainLoss,
        WaveformL1Loss,
        combination_mse,
        combination_wsdr,
        weighted_sdr,
    )
}


def register_loss(custom_loss: Callable) -> None:
    """Register a loss class or function under its name.

    Args:
        custom_loss: The loss; its `__name__` is its name.

    Raises:
        ValueError: If a loss with this name exists; upper and lower case are the same.
    """
    name = custom_loss.__name__
    if name.lower() in (known.lower() for known in _LOSSES):
        raise ValueError(f"Loss {name} already exists. Choose another name.")
    _LOSSES[name] = custom_loss


def get(identifier: Union[None, str, Callable]) -> Optional[Callable]:
    """The loss with a name; None and callables are returned unchanged.

    Args:
        identifier: A name, a loss, or None.

    Raises:
        ValueError: If it is none of these, or no loss has that name.
    """
    if identifier is None or callable(identifier):
        return identifier
    if isinstance(identifier, str) and identifier in _LOSSES:
        return _LOSSES[identifier]
    raise ValueError(
        f"Could not interpret loss identifier: {identifier!r}; known losses are {sorted(_LOSSES)}."
    )

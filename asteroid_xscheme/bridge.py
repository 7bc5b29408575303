"""Bridging: one network per source, and points where the networks share their features.

The paper uses one network per source, and all of them read the same mixture. At a *bridge* their
feature maps are averaged and every network continues with the mean, so that each can use what the
others have found. A bridge has no parameters: a model with closed bridges is the set of original,
independent networks, with the same state dict.

Reference: R. Sawata, N. Takahashi, S. Uhlich, S. Takahashi and Y. Mitsufuji, "The whole is greater
than the sum of its parts: improving music source separation by bridging networks", EURASIP Journal
on Audio, Speech, and Music Processing 2024:39, https://arxiv.org/abs/2305.07855.
"""

from typing import List, Sequence, Tuple, Union

import torch

BridgeChoice = Union[bool, str, Sequence[str]]


def average(features: Sequence[torch.Tensor]) -> torch.Tensor:
    """Mean of the feature maps of all sources, summed in the order of the sources.

    Args:
        features: One tensor per source, all of the same shape.

    Returns:
        A tensor of that shape.

    Raises:
        ValueError: If two feature maps differ in shape; averaging never broadcasts.
    """
    first = features[0]
    if not torch.jit.is_tracing():  # sizes have no values there
        _check_shapes(features)
    return sum(features[1:], start=first) / len(features)


def _check_shapes(features: Sequence[torch.Tensor]) -> None:
    first = features[0]
    for other in features[1:]:
        if other.shape != first.shape:
            raise ValueError(
                "Networks can only be bridged where their features have the same shape, "
                f"but got {tuple(first.shape)} and {tuple(other.shape)}."
            )


def select_bridge_points(
    bridge: BridgeChoice, known: Sequence[str], default: Sequence[str]
) -> Tuple[str, ...]:
    """Names of the bridging points to open, in the order of the network.

    Args:
        bridge: True for the default points, False for none, or names of points.
        known: All points of the architecture, in the order of its data flow.
        default: The points that True opens.

    Raises:
        ValueError: If a name is not a known point.
    """
    if isinstance(bridge, bool):
        return tuple(default) if bridge else ()
    chosen = [bridge] if isinstance(bridge, str) else list(bridge)
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise ValueError(f"Unknown bridging point(s) {unknown}; this model has {list(known)}.")
    return tuple(name for name in known if name in chosen)


class Bridges:
    """The bridging points of a model: open points average features, closed points pass them on.

    Args:
        bridge: True for the default points, False for none, or names of points.
        known: All points of the architecture, in the order of its data flow.
        default: The points that True opens.

    >>> bridges = Bridges(True, known=["encoder", "decoder"], default=["encoder"])
    >>> one, two = bridges("encoder", [torch.zeros(3), torch.ones(3)])
    >>> one.tolist(), two.tolist()
    ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])
    """

    def __init__(self, bridge: BridgeChoice, known: Sequence[str], default: Sequence[str]):
        self.open = select_bridge_points(bridge, known, default)

    def __call__(self, point: str, features: Sequence[torch.Tensor]) -> List[torch.Tensor]:
        """The features of every source after `point`: the mean if it is open, otherwise its own."""
        if point not in self.open:
            return list(features)
        return [average(features)] * len(features)

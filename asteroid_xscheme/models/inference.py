"""What a model says about its own use: how whole songs are separated with it, and why so.

A model hands this description over and whoever runs it, such as a separator, obeys: nobody asks
what class a model is.
"""

from dataclasses import dataclass
from typing import Callable, Iterable, NamedTuple, Tuple

import torch

Estimator = Callable[[torch.Tensor], torch.Tensor]
#: `map`, or a function like it that calls for several sources at once
Map = Callable[..., Iterable]


class PatchGroup(NamedTuple):
    """Networks that take the same patches of a song.

    Attributes:
        estimate: Their magnitudes of their sources, (N, B, C, F) -> (J, N, B, C, F).
        frames: Frames of a patch.
        shift: Frames from one patch to the next.
    """

    estimate: Estimator
    frames: int
    shift: int


@dataclass(frozen=True)
class Inference:
    """How a model separates a song, in steps: its frames, or its samples where it reads waveforms.

    Attributes:
        steps_per_second: Frames or samples per second of a song.
        bytes_per_step: Memory that the networks take for a step of a chunk, roughly.
        chunk_seconds: Length of a chunk, where its user has no wish.
        overlap: Share of a chunk that overlaps the next, 0 to 0.5, likewise.
        fade: Share of an overlap in which two chunks are mixed; the rest is context for each.
        steps_on_cpu: Most steps that a CPU takes at once, in as many chunks; a longer chunk is
            taken alone.
        patches: Networks that want patches of a fixed length, which are averaged, rather than
            chunks of any; their estimates, joined, are those of all sources in their order.
        wiener_iterations: Of the Wiener filter behind it, where its user has no wish.
    """

    steps_per_second: float
    bytes_per_step: int
    chunk_seconds: float
    overlap: float
    fade: float = 1.0
    steps_on_cpu: int = 0
    patches: Tuple[PatchGroup, ...] = ()
    wiener_iterations: int = 0

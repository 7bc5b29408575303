"""A model's description of how to separate whole songs with it.

A separator follows this description and never asks for the class of a model.
"""

import math
from dataclasses import dataclass
from typing import Callable, Iterable, NamedTuple, Optional, Tuple

import torch

Estimator = Callable[[torch.Tensor], torch.Tensor]
#: estimates (J, n, b, C, F) of some frames and items of a batch
Estimates = Callable[[slice, slice], torch.Tensor]
#: `map`, or a function like it that calls for several sources at once
Map = Callable[..., Iterable]


class PatchGroup(NamedTuple):
    """Networks that take the same patches of a song.

    Attributes:
        estimate: Their magnitudes of their sources, (N, B, C, F) -> (J, N, B, C, F).
        frames: Frames per patch.
        shift: Frames from one patch to the next.
    """

    estimate: Estimator
    frames: int
    shift: int


class RoundingEffect(NamedTuple):
    """What networks in bfloat16 change, as `benchmarks.precision` measured it for trained models.

    Attributes:
        deviation_db: Energy of the change of the estimates on music, relative to the estimates.
        sdr_db: Largest change of a source's SDR on the songs of the demo; infinite if not measured.
    """

    deviation_db: float
    sdr_db: float = math.inf

    @property
    def is_negligible(self) -> bool:
        """Whether it is below what can be heard or what scores resolve."""
        return self.deviation_db < -50 and self.sdr_db < 0.02


@dataclass(frozen=True)
class Inference:
    """How a model separates a song. Steps are frames, or samples if it reads waveforms.

    Attributes:
        steps_per_second: Frames or samples per second of a song.
        bytes_per_step: Approximate memory that the networks need per step of a chunk.
        chunk_seconds: Default length of a chunk.
        overlap: Default fraction of a chunk that overlaps the next, 0 to 0.5.
        fade: Fraction of an overlap in which two chunks are cross-faded; the rest is context.
        steps_on_cpu: Most steps that a CPU processes at once, over all chunks; a longer chunk is
            processed alone.
        patches: Networks that need patches of a fixed length, which are averaged, instead of
            chunks of any length; together they estimate all sources in order.
        wiener_iterations: Default iterations of the Wiener filter that follows.
        bfloat16: What networks in bfloat16 change; None if it was not measured.
    """

    steps_per_second: float
    bytes_per_step: int
    chunk_seconds: float
    overlap: float
    fade: float = 1.0
    steps_on_cpu: int = 0
    patches: Tuple[PatchGroup, ...] = ()
    wiener_iterations: int = 0
    bfloat16: Optional[RoundingEffect] = None

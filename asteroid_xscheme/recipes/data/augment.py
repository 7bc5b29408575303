"""Augment sources at random: gain, channel swap and polarity.

A draw is only a factor and whether to swap the channels, so that a source can be read, scaled and
stored in one pass.
"""

from dataclasses import dataclass
from typing import Sequence

import numpy as np


@dataclass(frozen=True)
class Augmentation:
    """One draw: multiply the samples by `gain`, and swap the channels if `swap`."""

    gain: float = 1.0
    swap: bool = False


@dataclass(frozen=True)
class Augmenter:
    """Draws an augmentation for each source of each example.

    Args:
        names: Any of "gain" (uniform between the two gains), "channelswap" and "polarity" (each
            with probability 1/2; a swap affects only stereo).
        gain_min, gain_max: Range of the gain, a factor.
    """

    names: Sequence[str] = ("gain", "channelswap")
    gain_min: float = 0.25
    gain_max: float = 1.25

    def draw(self, generator: np.random.Generator) -> Augmentation:
        """Draw an augmentation; it always takes three numbers from the generator."""
        position, swap, polarity = generator.random(3)
        gain = 1.0
        if "gain" in self.names:
            gain = self.gain_min + position * (self.gain_max - self.gain_min)
        if "polarity" in self.names and polarity < 0.5:
            gain = -gain
        return Augmentation(gain, "channelswap" in self.names and bool(swap < 0.5))

"""Augment sources at random: gain, channel swap, polarity and speed.

A draw is only a factor, whether to swap the channels and how fast to play, so that a source can be
read, scaled and stored in one pass.
"""

from dataclasses import dataclass
from typing import Sequence

import numpy as np

SPEEDS = (0.8, 1.25)  # four semitones down and up


@dataclass(frozen=True)
class Augmentation:
    """One draw: multiply the samples by `gain`, and swap the channels if `swap`.

    At a `speed` of 2 the source plays twice as fast and an octave higher.
    """

    gain: float = 1.0
    swap: bool = False
    speed: float = 1.0


@dataclass(frozen=True)
class Augmenter:
    """Draws an augmentation for each source of each example.

    Args:
        names: Any of "gain" (uniform between the two gains), "channelswap" and "polarity" (each
            with probability 1/2; a swap affects only stereo), and "speed" (uniform in `SPEEDS`).
        gain_min, gain_max: Range of the gain, a factor.
    """

    names: Sequence[str] = ("gain", "channelswap")
    gain_min: float = 0.25
    gain_max: float = 1.25

    def samples_read(self, segment: int) -> int:
        """The most samples of a track that a segment of so many samples is made of."""
        return int(segment * max(SPEEDS)) if "speed" in self.names else segment

    def draw(self, generator: np.random.Generator) -> Augmentation:
        """Draw an augmentation: three numbers from the generator, and one more for a speed."""
        position, swap, polarity = generator.random(3)
        gain = 1.0
        if "gain" in self.names:
            gain = self.gain_min + position * (self.gain_max - self.gain_min)
        if "polarity" in self.names and polarity < 0.5:
            gain = -gain
        speed = 1.0
        if "speed" in self.names:
            speed = float(generator.uniform(*SPEEDS))
        return Augmentation(gain, "channelswap" in self.names and bool(swap < 0.5), speed)

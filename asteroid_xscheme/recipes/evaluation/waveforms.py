"""Arrays or files of a track's sources -> pieces of their waveforms; no track is held whole."""

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Mapping, Sequence, Tuple

import numpy as np

from ...audio import probe_audio
from ..data import Track
from ..data.segments import FileReader, read_sources


@dataclass(frozen=True)
class Waveforms:
    """Waveforms of a track's sources, all of one length.

    Attributes:
        sources: Names of the sources, in order.
        n_samples: Length T of each.
        n_channels: Channels C of each.
        read: (first sample, number of samples) -> (J, C, number of samples), floating point.
    """

    sources: Tuple[str, ...]
    n_samples: int
    n_channels: int
    read: Callable[[int, int], np.ndarray]

    @classmethod
    def of_arrays(cls, by_source: Mapping[str, np.ndarray]) -> "Waveforms":
        """Waveforms (T, C) that are in memory.

        >>> waveforms = Waveforms.of_arrays({"bass": np.zeros((7, 2)), "drums": np.ones((7, 2))})
        >>> waveforms.read(0, 3).shape
        (2, 2, 3)
        """
        stacked = np.stack([waveform.T for waveform in by_source.values()])
        _, n_channels, n_total = stacked.shape
        return cls(
            tuple(by_source),
            n_total,
            n_channels,
            lambda start, n_samples: stacked[..., start : start + n_samples],
        )

    @classmethod
    def of_track(cls, track: Track, sources: Sequence[str]) -> "Waveforms":
        """The references of a track."""
        reader = FileReader()
        return cls(
            tuple(sources),
            track.n_samples,
            track.n_channels,
            lambda start, n_samples: read_sources(reader, track, sources, start, n_samples),
        )

    @classmethod
    def of_files(cls, by_source: Mapping[str, Path]) -> "Waveforms":
        """One floating-point file for each source, as long as the shortest."""
        reader = FileReader()
        infos = [probe_audio(path) for path in by_source.values()]
        return cls(
            tuple(by_source),
            min(info.n_samples for info in infos),
            infos[0].n_channels,
            lambda start, n_samples: np.stack(
                [reader.read(path, start, n_samples).T for path in by_source.values()]
            ),
        )

    def select(self, sources: Sequence[str]) -> "Waveforms":
        """Those of some of the sources, in the given order."""
        rows = [self.sources.index(source) for source in sources]
        return Waveforms(
            tuple(sources),
            self.n_samples,
            self.n_channels,
            lambda start, n_samples: self.read(start, n_samples)[rows],
        )

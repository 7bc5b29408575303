"""Arrays or files of a track's sources -> pieces of their waveforms; no track is held whole."""

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Mapping, Sequence, Tuple

import numpy as np
import torch

from ...audio import probe_audio, read_audio
from ..data import Track
from ..data.segments import FileReader, read_sources
from .errors import ScoringError


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
        """Sources of a track; reading samples that are not finite raises ScoringError."""
        reader = FileReader()

        def read(start: int, n_samples: int) -> np.ndarray:
            waveforms = read_sources(reader, track, sources, start, n_samples)
            for source, waveform in zip(sources, waveforms):
                if not np.isfinite(waveform).all():
                    files = " + ".join(map(str, track.source_files[source]))
                    raise ScoringError(f"{files} contains samples that are not finite.")
            return waveforms

        return cls(tuple(sources), track.n_samples, track.n_channels, read)

    @classmethod
    def of_files(cls, by_source: Mapping[str, Path]) -> "Waveforms":
        """One file for each source, as long as the shortest."""
        track = track_of_files({source: (path,) for source, path in by_source.items()})
        return cls.of_track(track, list(by_source))

    def select(self, sources: Sequence[str]) -> "Waveforms":
        """Those of some of the sources, in the given order."""
        rows = [self.sources.index(source) for source in sources]
        return Waveforms(
            tuple(sources),
            self.n_samples,
            self.n_channels,
            lambda start, n_samples: self.read(start, n_samples)[rows],
        )

    def cut(self, n_samples: int) -> "Waveforms":
        """The first samples."""
        return Waveforms(self.sources, min(n_samples, self.n_samples), self.n_channels, self.read)


def track_of_files(source_files: Mapping[str, Tuple[Path, ...]]) -> Track:
    """Files by source as a track of their own, as long as the shortest."""
    infos = [probe_audio(path) for paths in source_files.values() for path in paths]
    folder = next(iter(source_files.values()))[0].parent
    return Track(
        name=folder.name,
        root=folder.parents[1],
        subset=folder.parent.name,
        sample_rate=infos[0].sample_rate,
        n_channels=max(info.n_channels for info in infos),
        n_samples=min(info.n_samples for info in infos),
        source_files=source_files,
    )


def read_mixture(track: Track) -> torch.Tensor:
    """The mixture (C, T) of a track, see `Track.mixture_files`; as long as its sources.

    Raises:
        ScoringError: If it holds samples that are not finite.
    """
    if track.mixture_files == (track.mixture_file,):
        mixture, _ = read_audio(track.mixture_file, n_samples=track.n_samples)
    else:
        sources = list(track.source_files)
        waveforms = Waveforms.of_track(track, sources).read(0, track.n_samples)
        mixture = torch.from_numpy(waveforms.sum(0))
    if not mixture.isfinite().all():
        raise ScoringError(f"The mixture of {track.folder} contains samples that are not finite.")
    return mixture

"""Read the waveforms of a track's sources piece by piece, from arrays or files."""

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
    """Waveforms of a track's sources, all of the same length.

    Attributes:
        sources: Names of the J sources, in order.
        n_samples: Length T of the waveforms.
        n_channels: Number of channels C.
        read: Function (first sample, number of samples) -> floating-point array (J, C, number of
            samples).
    """

    sources: Tuple[str, ...]
    n_samples: int
    n_channels: int
    read: Callable[[int, int], np.ndarray]

    @classmethod
    def of_arrays(cls, by_source: Mapping[str, np.ndarray]) -> "Waveforms":
        """Waveforms from arrays (T, C).

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
        """Waveforms from the files of a track.

        `read` raises ScoringError for samples that are not finite.
        """
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
        """Waveforms from one file per source, cut to the length of the shortest."""
        track = track_of_files({source: (path,) for source, path in by_source.items()})
        return cls.of_track(track, list(by_source))

    def select(self, sources: Sequence[str]) -> "Waveforms":
        """The waveforms of some of the sources, in the given order."""
        rows = [self.sources.index(source) for source in sources]
        return Waveforms(
            tuple(sources),
            self.n_samples,
            self.n_channels,
            lambda start, n_samples: self.read(start, n_samples)[rows],
        )

    def cut(self, n_samples: int) -> "Waveforms":
        """The first `n_samples` samples of the waveforms."""
        return Waveforms(self.sources, min(n_samples, self.n_samples), self.n_channels, self.read)


def track_of_files(source_files: Mapping[str, Tuple[Path, ...]]) -> Track:
    """Make a track of files by source, cut to the length of the shortest."""
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
    """Read the mixture (C, T) of a track, as long as its sources; see `Track.mixture_files`.

    Raises:
        ScoringError: If it has samples that are not finite.
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

"""Cut tracks into training segments and validation chunks.

A training example depends only on (seed, epoch, index), not on the number of workers or processes,
and every index has its own random draws. The mixture is the sum of the augmented sources.
"""

from typing import List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from torch.utils.data import Dataset

from .augment import Augmenter
from .errors import DataError
from .segments import FileReader, MemoryReader, read_source, read_sources
from .tracks import Track

Key = Tuple[int, int]
Example = Tuple[torch.Tensor, torch.Tensor]


class SegmentDataset(Dataset):
    """Random segments of training tracks, indexed by (epoch, index), or by a list for a batch.

    Args:
        tracks: Tracks of one or more folders, each at least one segment long at any speed of the
            augmenter.
        sources: Names of the J sources, in the order of the output.
        segment: Length T of a segment in samples.
        samples_per_track: Segments per track and epoch.
        nb_channels: Channels C of the output; see :func:`.segments.read_source`.
        random_track_mix: Whether each source of an example comes from a random position of a random
            track that has it. Otherwise all sources come from the same position of the same track,
            and a source that the track lacks is silent.
        augmenter: Draws the augmentation of each source.
        seed: Seed of all draws.
        root_weights: How often to draw from each folder; None draws all tracks equally often.
            Without root_weights and random_track_mix, every track is used equally in every epoch.
        cache: "memory" keeps the decoded files in memory, "none" reads them when needed.

    Raises:
        DataError: If no track has one of the sources, or all weights of its folders are 0.
    """

    def __init__(
        self,
        tracks: Sequence[Track],
        sources: Sequence[str],
        segment: int,
        samples_per_track: int = 1,
        nb_channels: int = 2,
        random_track_mix: bool = True,
        augmenter: Augmenter = Augmenter(),
        seed: int = 0,
        root_weights: Optional[Mapping] = None,
        cache: str = "none",
    ):
        self.tracks, self.sources = list(tracks), list(sources)
        self.segment, self.samples_per_track = segment, samples_per_track
        self.nb_channels, self.random_track_mix = nb_channels, random_track_mix
        self.augmenter, self.seed = augmenter, seed
        self._longest = augmenter.samples_read(segment)
        self.has_weights = root_weights is not None
        self._pool = _Pool(self.tracks, root_weights)
        self._pools = {
            source: _Pool(
                [t for t in self.tracks if source in t.source_files], root_weights, source
            )
            for source in self.sources
        }
        self.reader: Union[FileReader, MemoryReader] = FileReader()
        if cache == "memory":
            self.reader = MemoryReader()
            self.reader.load(self.tracks)

    def __len__(self) -> int:
        return len(self.tracks) * self.samples_per_track

    def __getitem__(self, keys: Union[Key, List[Key]]) -> Example:
        """The example of (epoch, index), or the batch of a list of them.

        A batch is filled in place, because stacking examples would take as long as reading them.

        Returns:
            Mixture (C, T) and sources (J, C, T), or mixtures (B, C, T) and sources (B, J, C, T).
        """
        if isinstance(keys, tuple):
            mixture, sources = self[[keys]]
            return mixture[0], sources[0]
        shape = len(self.sources), self.nb_channels, self.segment
        pinned = torch.cuda.is_available()
        sources = torch.empty(len(keys), *shape, pin_memory=pinned)
        mixture = torch.empty(len(keys), *shape[1:], pin_memory=pinned)
        for key, of_example, sum_of_example in zip(keys, sources.numpy(), mixture.numpy()):
            self._fill(key, of_example)
            _sum(of_example, out=sum_of_example)
        return mixture, sources

    def _fill(self, key: Key, sources: np.ndarray) -> None:
        """Read the sources (J, C, T) of an example."""
        epoch, index = key
        generator = np.random.default_rng((self.seed, epoch, index))
        if not self.random_track_mix:
            track = self._next_track(index, generator)
            start = self._draw_start(track, generator)
        for source, out in zip(self.sources, sources):
            if self.random_track_mix:
                track = self._pools[source].draw(generator)
                start = self._draw_start(track, generator)
            read_source(self.reader, track, source, start, out, self.augmenter.draw(generator))

    def _next_track(self, index: int, generator: np.random.Generator) -> Track:
        if self.has_weights:
            return self._pool.draw(generator)
        return self.tracks[index // self.samples_per_track]

    def _draw_start(self, track: Track, generator: np.random.Generator) -> int:
        return int(generator.integers(track.n_samples - self._longest + 1))


class _Pool:
    """Tracks to draw from: folders by weight, tracks within a folder with equal probability."""

    def __init__(self, tracks: List[Track], root_weights: Optional[Mapping], source: str = ""):
        if not tracks:
            raise DataError(
                f"No training track has the source {source!r}. Remove it from --sources, or name "
                "the files that it is in under source_map in conf.yml."
            )
        roots = [track.root for track in tracks]
        weights = np.ones(len(tracks))
        if root_weights is not None:
            weights = np.array([root_weights[root] / roots.count(root) for root in roots])
        if not weights.sum() > 0:
            raise DataError(
                f"All folders with {source or 'tracks'} have the weight 0. Raise one of "
                "--root_weights."
            )
        self.tracks = tracks
        self.cumulative = np.cumsum(weights) / weights.sum()

    def draw(self, generator: np.random.Generator) -> Track:
        k = int(np.searchsorted(self.cumulative, generator.random(), side="right"))
        return self.tracks[min(k, len(self.tracks) - 1)]


class ValidationChunk(NamedTuple):
    """A part of a track: `n_samples` samples from sample `start`."""

    track: Track
    start: int
    n_samples: int


class ValidationDataset(Dataset):
    """Whole validation tracks in chunks, not augmented, each read when it is needed.

    Args:
        chunks: The chunks, see :func:`cut_tracks`.
        sources: Names of the J sources, in the order of the output. A source that a track lacks is
            silent.
        nb_channels: Channels C of the output.
    """

    def __init__(
        self, chunks: Sequence[ValidationChunk], sources: Sequence[str], nb_channels: int = 2
    ):
        self.chunks, self.sources, self.nb_channels = list(chunks), list(sources), nb_channels
        self.reader = FileReader()

    def __len__(self) -> int:
        return len(self.chunks)

    def __getitem__(self, index: int) -> Example:
        """Mixture (C, T) and sources (J, C, T) of a chunk."""
        track, start, n_samples = self.chunks[index]
        arrays = read_sources(self.reader, track, self.sources, start, n_samples, self.nb_channels)
        mixture = _sum(arrays, np.empty_like(arrays[0]))
        return torch.from_numpy(mixture), torch.from_numpy(arrays)


def cut_tracks(tracks: Sequence[Track], longest: int, multiple: int = 1) -> List[ValidationChunk]:
    """Cut tracks into chunks of nearly equal length, so that every sample is in one chunk.

    Args:
        tracks: Validation tracks.
        longest: Maximum length of a chunk in samples.
        multiple: Number that the number of chunks must be a multiple of: the number of processes,
            which must all take the same number of steps. The longest chunks are halved for this.
    """
    chunks = []
    for track in tracks:
        edges = np.linspace(0, track.n_samples, -(-track.n_samples // longest) + 1).astype(int)
        chunks += [ValidationChunk(track, int(a), int(b - a)) for a, b in zip(edges, edges[1:])]
    while len(chunks) % multiple:
        k = max(range(len(chunks)), key=lambda k: chunks[k].n_samples)
        track, start, n_samples = chunks[k]
        half = n_samples // 2
        chunks[k : k + 1] = [
            ValidationChunk(track, start, half),
            ValidationChunk(track, start + half, n_samples - half),
        ]
    return chunks


def _sum(sources: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Add up sources (J, C, T) in order, into the mixture (C, T).

    numpy keeps to the thread that calls it; torch would start more for each.
    """
    out[:] = sources[0]
    for source in sources[1:]:
        out += source
    return out

"""Songs of runs -> what the page shows of each: sounds, spectrograms, SDR over time, worst seconds.

The files stay below `MOST_BYTES`: of each song there is an excerpt, the shorter the more songs
there are, and a clip of each worst second outside of it; the whole files are linked.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Tuple
from urllib.parse import quote

from .drawings import common_limits, legend, time_plot
from .excerpts import Frames, WorstSecond, choose_excerpt, worst_seconds
from .media import BYTES_PER_SECOND, Media
from .records import Record, Track
from .tables import decibels, run_names

MOST_BYTES = 100_000_000
_SHARE_OF_EXCERPTS = 0.6  # of the bytes; pictures and worst seconds take the rest
_SHORTEST, _LONGEST = 4, 30  # seconds of an excerpt
_CLIP = (-1, 2)  # seconds around the beginning of a worst second


@dataclass(frozen=True)
class Sound:
    """Something to listen to: an excerpt and the whole."""

    label: str
    excerpt: str
    whole: str


@dataclass(frozen=True)
class Worst:
    """A worst second of a run: words, and what to play from which second on."""

    words: str
    sdr: float
    estimate: Tuple[str, float]
    reference: Tuple[str, float]
    anchor: str


@dataclass(frozen=True)
class SourceView:
    """A source of a song: its reference and estimates, and pictures of them by run."""

    name: str
    sounds: List[Sound]
    pictures: List[Tuple[str, List[str]]]


@dataclass(frozen=True)
class SongView:
    """A song on the page."""

    anchor: str
    name: str
    subset: str
    excerpt: Tuple[int, int]
    mixture: Optional[Sound]
    sources: List[SourceView]
    plots: List[str]
    worst: List[Worst]
    figures: List[Tuple[str, List[str]]]


def song_views(records: Sequence[Record], folder: Path) -> Iterator[SongView]:
    """The songs of all runs, each with the estimates of the runs that have it.

    Args:
        records: The runs.
        folder: The report's; receives media/.
    """
    songs: Dict[Tuple[str, str], List[Tuple[Record, Track]]] = {}
    for record in records:
        for subset, content in record.subsets.items():
            for track in content.tracks:
                songs.setdefault((subset, track.name), []).append((record, track))
    n_files = sum(1 + len(t.references) + len(r.sources) for s in songs.values() for r, t in s)
    seconds = int(_SHARE_OF_EXCERPTS * MOST_BYTES / (BYTES_PER_SECOND * max(n_files, 1)))
    seconds = max(_SHORTEST, min(_LONGEST, seconds))
    media = Media(folder / "media")
    for i, ((subset, _), found) in enumerate(songs.items()):
        yield _SongWriter(f"t{i:03d}", subset, found, run_names(records), media).write(seconds)
    media.finish()


class _SongWriter:
    """Writes the media of a song and gathers what the page says of it."""

    def __init__(
        self,
        anchor: str,
        subset: str,
        found: Sequence[Tuple[Record, Track]],
        names: Mapping[Path, str],
        media: Media,
    ):
        self.anchor, self.subset, self.found, self.names = anchor, subset, found, names
        self.media, self.folder = media, media.folder.parent
        self.track = found[0][1]
        self.frames = {
            record.folder: record.subsets[subset].systems[record.name].frames[track.name]
            for record, track in found
        }

    def write(self, n_seconds: int) -> SongView:
        excerpt = choose_excerpt(next(iter(self.frames.values())), n_seconds)
        files = self.track.mixture
        mixture = self._sound("mixture", "mixture", files, excerpt) if files else None
        sources = [self._source(s, paths, excerpt) for s, paths in self.track.references.items()]
        values = [v for of in self.frames.values() for values in of.values() for v in values]
        limits = common_limits(values)
        plots = [
            time_plot(f"SDR in dB, {self.names[run]}", of, limits, excerpt)
            for run, of in self.frames.items()
        ]
        return SongView(
            anchor=self.anchor,
            name=self.track.name,
            subset=self.subset,
            excerpt=excerpt,
            mixture=mixture,
            sources=sources,
            plots=[*plots, legend(list(next(iter(self.frames.values()))))],
            worst=list(self._worst(excerpt)),
            figures=[(self.names[run], self._medians(of)) for run, of in self.frames.items()],
        )

    def _medians(self, frames: Frames) -> List[str]:
        defined = ([v for v in values if v is not None] for values in frames.values())
        return [decibels(median(values) if values else None) for values in defined]

    def _source(self, source: str, paths: Sequence[Path], excerpt: Tuple[int, int]) -> SourceView:
        sounds = [self._sound("reference", f"{source}-reference", paths, excerpt)] if paths else []
        pictures = []
        for i, (record, track) in enumerate(self.found):
            if source not in track.estimates:
                continue
            estimate = track.estimates[source]
            label = self.names[record.folder]
            sounds.append(self._sound(label, f"{source}-estimate{i}", estimate, excerpt))
            if paths:
                pictures.append((label, self._pictures(f"{source}{i}", paths, estimate, excerpt)))
        return SourceView(source, sounds, pictures)

    def _worst(self, excerpt: Tuple[int, int]) -> Iterator[Worst]:
        for i, (record, track) in enumerate(self.found):
            for worst in worst_seconds(self.frames[record.folder]):
                references = self.track.references.get(worst.source)
                if not references or worst.source not in track.estimates:
                    continue
                estimate = track.estimates[worst.source]
                yield Worst(
                    f"{track.name}: {worst.source} at {_clock(worst.second)}, "
                    f"{self.names[record.folder]}",
                    worst.sdr,
                    self._clip(f"{worst.source}-estimate{i}", estimate, worst, excerpt),
                    self._clip(f"{worst.source}-reference", references, worst, excerpt),
                    self.anchor,
                )

    def _clip(
        self, name: str, paths: Sequence[Path], worst: WorstSecond, excerpt: Tuple[int, int]
    ) -> Tuple[str, float]:
        """Where a second is heard: in the excerpt, or in a clip of its own."""
        if excerpt[0] <= worst.second < excerpt[1]:
            return self._url(self._path(f"{name}.mp3")), worst.second - excerpt[0]
        start = max(0, worst.second + _CLIP[0])
        path = self._path(f"{name}-at-{worst.second}.mp3")
        self.media.preview(path, paths, (start, worst.second + _CLIP[1]))
        return self._url(path), 0.0

    def _sound(
        self, label: str, name: str, paths: Sequence[Path], excerpt: Tuple[int, int]
    ) -> Sound:
        path = self._path(f"{name}.mp3")
        self.media.preview(path, paths, excerpt)
        return Sound(label, self._url(path), self._url(paths[0]))

    def _pictures(
        self, name: str, paths: Sequence[Path], estimate: Sequence[Path], excerpt: Tuple[int, int]
    ) -> List[str]:
        targets = [self._path(f"{name}-{kind}.png") for kind in ("reference", "estimate", "rest")]
        self.media.spectrograms(targets, paths, estimate, excerpt)
        return [self._url(target) for target in targets]

    def _path(self, name: str) -> Path:
        return self.media.folder / self.anchor / name

    def _url(self, path: Path) -> str:
        return quote(Path(os.path.relpath(path, self.folder)).as_posix())


def _clock(second: int) -> str:
    return f"{second // 60}:{second % 60:02d}"

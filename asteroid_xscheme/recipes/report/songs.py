"""Collect what the page shows of each song: mixer, spectrograms, SDR over time, worst seconds.

The sounds stay below `MOST_BYTES`: each song has an excerpt, which is shorter if there are more
songs, and a clip for each worst second outside the excerpt. Complete files are linked.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Tuple
from urllib.parse import quote

from ...listening import Mixer
from .drawings import common_limits, legend, time_plot
from .excerpts import Frames, choose_excerpt, worst_seconds
from .media import BYTES_PER_SECOND, Media, spectrogram_axes
from .mixers import Place, SongMixer
from .records import Record, Track
from .tables import decibels, run_names

MOST_BYTES = 100_000_000
_SHARE_OF_EXCERPTS = 0.5  # of the bytes; the rest is for pictures and worst seconds
_SHORTEST, _LONGEST = 4, 30  # seconds of an excerpt


@dataclass(frozen=True)
class Worst:
    """The worst second of a source: a label, and where the song's mixer plays it."""

    words: str
    sdr: float
    estimate: Place
    reference: Place
    anchor: str


@dataclass(frozen=True)
class Picture:
    """A spectrogram or file: a label, and its URL."""

    label: str
    url: str


@dataclass(frozen=True)
class SourceView:
    """A source of a song: its complete files, and the spectrograms of each run."""

    name: str
    files: List[Picture]
    pictures: List[List[Picture]]


@dataclass(frozen=True)
class SongView:
    """A song on the page; `axes` has the (label, position) of the ticks of its spectrograms."""

    anchor: str
    name: str
    subset: str
    excerpt: Tuple[int, int]
    mixer: Optional[Mixer]
    whole: str
    sources: List[SourceView]
    axes: Mapping[str, List[Tuple[str, float]]]
    plots: List[str]
    worst: List[Worst]
    figures: List[Tuple[str, List[Tuple[str, str]]]]


def song_views(records: Sequence[Record], folder: Path) -> Iterator[SongView]:
    """The songs of all runs, each with the estimates of the runs that scored it; writes media/.

    Args:
        records: The runs.
        folder: Folder of the report.
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
    """Writes the media of a song and collects what the page shows of it."""

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
        self.rows = list(self.track.references)
        self.frames = {
            record.folder: record.subsets[subset].systems[record.name].frames[track.name]
            for record, track in found
        }

    def write(self, n_seconds: int) -> SongView:
        """Write the media, with an excerpt of `n_seconds` seconds."""
        excerpt = choose_excerpt(next(iter(self.frames.values())), n_seconds)
        mixer = SongMixer(self.media, self.anchor, self.rows, excerpt)
        scenes = self._add_sounds(mixer)
        values = [v for of in self.frames.values() for values in of.values() for v in values]
        limits = common_limits(values)
        plots = [
            time_plot(f"SDR in dB, {self.names[run]}", of, limits, excerpt)
            for run, of in self.frames.items()
        ]
        whole = self.track.mixture or next(filter(None, self.track.references.values()), [])
        return SongView(
            anchor=self.anchor,
            name=self.track.name,
            subset=self.subset,
            excerpt=excerpt,
            worst=list(self._worst(mixer, scenes)),  # before mixer.finish: adds clips to the mixer
            mixer=mixer.finish(self._first_scene(scenes)),
            whole=self._url(whole[0]) if whole else "",
            sources=[self._source(s, paths, excerpt) for s, paths in self.track.references.items()],
            axes=spectrogram_axes(whole[0], excerpt) if whole else {},
            plots=[*plots, legend(list(next(iter(self.frames.values()))))],
            figures=[(self.names[run], self._medians(of)) for run, of in self.frames.items()],
        )

    def _add_sounds(self, mixer: SongMixer) -> List[int]:
        """Add the scenes mixture and reference, and one per run; return the indices of the runs."""
        if self.track.mixture:
            mixer.add(mixer.add_scene("mixture"), None, "mixture", self.track.mixture)
        self.reference = mixer.add_scene("reference")
        for row, (source, paths) in enumerate(self.track.references.items()):
            if paths:
                mixer.add(self.reference, row, f"{source}-reference", paths)
        scenes = []
        for i, (record, track) in enumerate(self.found):
            scenes.append(mixer.add_scene(self.names[record.folder]) if track.estimates else -1)
            for source, paths in track.estimates.items():
                if source in self.rows:
                    row = self.rows.index(source)
                    mixer.add(scenes[-1], row, f"{source}-estimate{i}", paths)
        return scenes

    def _first_scene(self, scenes: Sequence[int]) -> int:
        return next((scene for scene in scenes if scene >= 0), self.reference)

    def _medians(self, frames: Frames) -> List[Tuple[str, str]]:
        defined = {name: [v for v in of if v is not None] for name, of in frames.items()}
        return [(name, decibels(median(of) if of else None)) for name, of in defined.items()]

    def _source(self, source: str, paths: Sequence[Path], excerpt: Tuple[int, int]) -> SourceView:
        files = [Picture("reference", self._url(paths[0]))] if paths else []
        pictures = []
        for i, (record, track) in enumerate(self.found):
            if source not in track.estimates:
                continue
            estimate = track.estimates[source]
            label = self.names[record.folder]
            files.append(Picture(label, self._url(estimate[0])))
            if paths:
                urls = self._pictures(f"{source}{i}", paths, estimate, excerpt)
                kinds = ("reference", label, f"reference minus {label}")
                pictures.append([Picture(*each) for each in zip(kinds, urls)])
        return SourceView(source, files, pictures)

    def _worst(self, mixer: SongMixer, scenes: Sequence[int]) -> Iterator[Worst]:
        for scene, (record, track) in zip(scenes, self.found):
            for worst in worst_seconds(self.frames[record.folder]):
                if (
                    not self.track.references.get(worst.source)
                    or worst.source not in track.estimates
                ):
                    continue
                row = self.rows.index(worst.source)
                yield Worst(
                    f"{track.name}: {worst.source} at {_clock(worst.second)}, "
                    f"{self.names[record.folder]}",
                    worst.sdr,
                    mixer.place(scene, row, worst.second),
                    mixer.place(self.reference, row, worst.second),
                    self.anchor,
                )

    def _pictures(
        self, name: str, paths: Sequence[Path], estimate: Sequence[Path], excerpt: Tuple[int, int]
    ) -> List[str]:
        targets = [
            self.media.folder / self.anchor / f"{name}-{kind}.png"
            for kind in ("reference", "estimate", "rest")
        ]
        self.media.spectrograms(targets, paths, estimate, excerpt)
        return [self._url(target) for target in targets]

    def _url(self, path: Path) -> str:
        return quote(Path(os.path.relpath(path, self.folder)).as_posix())


def _clock(second: int) -> str:
    return f"{second // 60}:{second % 60:02d}"

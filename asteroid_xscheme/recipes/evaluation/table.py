"""Summarise the scores of tracks as figures of a system, and write tables of them.

As in Asteroid's README there are two figures: the median over tracks of the median over frames
("median"), which papers quote, and the median over tracks of the mean over frames ("mean").
Undefined frames and tracks (NaN) are left out. Metrics of whole songs are averaged over songs, as
in the Music Demixing Challenges.
"""

import csv
from pathlib import Path
from typing import Callable, Dict, List, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from ...atomic import replacing
from ..markdown import markdown_table
from .published import Published
from .scores import METRICS, TrackScores

OVER_FRAMES: Mapping[str, Callable] = {"median": np.median, "mean": np.mean}

#: by source and metric, a figure in dB
Figures = Dict[str, Dict[str, float]]


def of_track(scores: TrackScores, over_frames: str = "median") -> Figures:
    """The figures of a track: the median or mean of each metric over its frames."""
    return {
        source: {m: over_defined(OVER_FRAMES[over_frames], metrics[m]) for m in METRICS}
        for source, metrics in scores.frames.items()
    }


def of_tracks(scores: Sequence[TrackScores], over_frames: str = "median") -> Figures:
    """The figures of a system: the median over tracks of each track's figures."""
    tracks = [of_track(track, over_frames) for track in scores]
    sources = list(dict.fromkeys(source for track in tracks for source in track))
    return {
        source: {
            m: over_defined(np.median, [track[source][m] for track in tracks if source in track])
            for m in METRICS
        }
        for source in sources
    }


def of_songs(scores: Sequence[TrackScores]) -> Figures:
    """The figures of a system for metrics of whole songs: the mean over songs; may be empty."""
    songs = [track.songs for track in scores]
    sources = list(dict.fromkeys(source for song in songs for source in song))
    return {
        source: {
            metric: over_defined(np.mean, [song[source][metric] for song in songs])
            for metric in songs[0][source]
        }
        for source in sources
    }


def all_figures(scores: Sequence[TrackScores]) -> Figures:
    """All figures of a system: medians over frames and tracks, then metrics of whole songs."""
    by_songs = of_songs(scores)
    return {s: {**figures, **by_songs.get(s, {})} for s, figures in of_tracks(scores).items()}


def average(figures: Figures, metric: str = "SDR") -> float:
    """The mean of a metric over sources."""
    return over_defined(np.mean, [of_source[metric] for of_source in figures.values()])


def over_defined(statistic: Callable, values: ArrayLike) -> float:
    """A statistic of the values that are not NaN; NaN if there are none."""
    every = np.asarray(values, dtype=float)
    defined = every[~np.isnan(every)]
    return float(statistic(defined)) if len(defined) else float("nan")


def metrics_table(figures: Figures, title: str) -> str:
    """Markdown table of the four metrics by source, in Asteroid's format."""
    rows = [
        [source, *(_decibel(of_source[m]) for m in METRICS)]
        for source, of_source in figures.items()
    ]
    return markdown_table([title, *METRICS], rows)


def systems_table(systems: Mapping[str, Figures], metric: str = "SDR") -> str:
    """Markdown table of one metric, with a row per system and a column per source."""
    sources = list(dict.fromkeys(s for figures in systems.values() for s in figures))
    rows = [
        [
            name,
            *(_decibel(figures.get(s, {}).get(metric, float("nan"))) for s in sources),
            _decibel(average(figures, metric)),
        ]
        for name, figures in systems.items()
    ]
    return markdown_table([f"{metric} in dB", *sources, "average"], rows)


def results_text(
    title: str,
    scores: Mapping[str, Sequence[TrackScores]],
    models: Sequence[str],
    published: Sequence[Published] = (),
) -> str:
    """The tables of several systems as Markdown.

    Args:
        title: Description of what was scored.
        scores: Scores of every track, by system.
        models: Systems to show with all metrics.
        published: Systems with published scores under the same conditions.
    """
    figures = {system: all_figures(of_system) for system, of_system in scores.items()}
    rows, sources = dict(figures), list(figures[models[0]])
    for each in published:
        rows[f"{each.name}, published"] = {s: {"SDR": each.sdr(s)} for s in sources}
    parts = [f"## {title}"]
    if _has_frames(scores):
        parts += ["BSSEval v4, median over frames, then over tracks.", systems_table(rows)]
    for metric in _song_metrics(scores):
        parts += [f"{metric} of whole songs, mean over songs.", systems_table(figures, metric)]
    for name in models if _has_frames(scores) else ():
        parts.append(metrics_table(of_tracks(scores[name]), f"{name}: median"))
        parts.append(metrics_table(of_tracks(scores[name], "mean"), f"{name}: mean"))
    return "\n\n".join(parts)


def write_csv(systems: Mapping[str, Sequence[TrackScores]], path: Path) -> None:
    """Write a CSV file with a row per system, track and source.

    Args:
        systems: Scores of every track, by system.
        path: File to write; its columns are the median and mean of each metric over frames, and the
            metrics of whole songs.
    """
    over = list(OVER_FRAMES) if _has_frames(systems) else []
    of_songs = _song_metrics(systems)
    header = ["system", "track", "source", *(f"{m}_{o}" for o in over for m in METRICS), *of_songs]
    with replacing(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for system, tracks in systems.items():
            for track in tracks:
                by_statistic = [of_track(track, over_frames) for over_frames in over]
                for source in track.frames:
                    values = [of[source][m] for of in by_statistic for m in METRICS]
                    values += [track.songs[source][metric] for metric in of_songs]
                    cells = [f"{value:.4f}" for value in values]
                    writer.writerow([system, track.track, source, *cells])


def flat(figures: Figures) -> Dict[str, float]:
    """Figures as a flat dictionary, `sdr_vocals: 6.6`, as in Asteroid's final_metrics.json."""
    return {
        f"{metric.lower().replace('-', '_')}_{source}": value
        for source, of_source in figures.items()
        for metric, value in of_source.items()
    }


def _has_frames(systems: Mapping[str, Sequence[TrackScores]]) -> bool:
    """Whether there are scores of frames."""
    every = (track for tracks in systems.values() for track in tracks)
    return any(len(metrics["SDR"]) for track in every for metrics in track.frames.values())


def _song_metrics(systems: Mapping[str, Sequence[TrackScores]]) -> List[str]:
    """Names of the metrics of whole songs."""
    every = (track.songs for tracks in systems.values() for track in tracks)
    return list(dict.fromkeys(m for songs in every for of in songs.values() for m in of))


def _decibel(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.2f}"

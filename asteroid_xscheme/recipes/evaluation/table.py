"""Scores of tracks -> figures of a system, and the tables that show them.

Two figures are given, as in asteroid's README: the median over tracks of the median over frames
("median"), which papers quote, and the median over tracks of the mean over frames ("mean").
Undefined frames and tracks (NaN) are left out.
"""

import csv
from pathlib import Path
from typing import Callable, Dict, List, Mapping, Sequence

import numpy as np

from .scores import METRICS, TrackScores

OVER_FRAMES: Mapping[str, Callable] = {"median": np.median, "mean": np.mean}

#: by source and metric, a figure in dB
Figures = Dict[str, Dict[str, float]]


def of_track(scores: TrackScores, over_frames: str = "median") -> Figures:
    """A track's figures: each metric over its frames."""
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


def average(figures: Figures, metric: str = "SDR") -> float:
    """Mean over sources of one metric."""
    return over_defined(np.mean, [of_source[metric] for of_source in figures.values()])


def over_defined(statistic: Callable, values: Sequence[float]) -> float:
    """A statistic of the values that are defined, NaN if none is."""
    values = np.asarray(values, dtype=float)
    defined = values[~np.isnan(values)]
    return float(statistic(defined)) if len(defined) else float("nan")


def metrics_table(figures: Figures, title: str) -> str:
    """Markdown table of the four metrics by source, in asteroid's form."""
    rows = [
        [source, *(_decibel(of_source[m]) for m in METRICS)]
        for source, of_source in figures.items()
    ]
    return _markdown([title, *METRICS], rows)


def systems_table(systems: Mapping[str, Figures], metric: str = "SDR") -> str:
    """Markdown table of one metric: a row for each system, a column for each source."""
    sources = list(next(iter(systems.values())))
    rows = [
        [name, *(_decibel(figures[s][metric]) for s in sources), _decibel(average(figures, metric))]
        for name, figures in systems.items()
    ]
    return _markdown([f"{metric} in dB", *sources, "average"], rows)


def results_text(title: str, scores: Mapping[str, Sequence[TrackScores]]) -> str:
    """The tables of several systems, the last of them in full, as Markdown."""
    *_, (name, of_model) = scores.items()
    figures = {system: of_tracks(of_system) for system, of_system in scores.items()}
    parts = [
        f"## {len(of_model)} {title}",
        "BSSEval v4, median over frames, then over tracks.",
        systems_table(figures),
        metrics_table(figures[name], f"{name}: median"),
        metrics_table(of_tracks(of_model, "mean"), f"{name}: mean"),
    ]
    return "\n\n".join(parts)


def write_csv(systems: Mapping[str, Sequence[TrackScores]], path: Path) -> None:
    """One row per system, track and source: each metric's median and mean over the frames."""
    header = ["system", "track", "source", *(f"{m}_{o}" for o in OVER_FRAMES for m in METRICS)]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for system, tracks in systems.items():
            for track in tracks:
                by_statistic = [of_track(track, over_frames) for over_frames in OVER_FRAMES]
                for source in track.frames:
                    values = [f"{of[source][m]:.4f}" for of in by_statistic for m in METRICS]
                    writer.writerow([system, track.track, source, *values])


def flat(figures: Figures) -> Dict[str, float]:
    """Figures as one flat dictionary, `sdr_vocals: 6.6`, as asteroid's final_metrics.json."""
    return {
        f"{metric.lower()}_{source}": value
        for source, of_source in figures.items()
        for metric, value in of_source.items()
    }


def _decibel(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.2f}"


def _markdown(header: List[str], rows: List[List[str]]) -> str:
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [
        [cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))]
        for row in [header, *rows]
    ]
    rule = ["-" * w if i == 0 else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [lines[0], rule, *lines[1:]])

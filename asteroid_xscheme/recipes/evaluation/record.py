"""Write record.json: what was evaluated, and its scores. Reports are made from it."""

import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

import numpy as np

from ...atomic import write_json
from ..data import Track
from ..identity import as_plain, file_hashes
from ..machine import describe_machine, find_commit, versions
from .scores import TrackScores
from .table import all_figures

#: by source, the files that add up to it
Files = Mapping[str, Tuple[Path, ...]]


def write_record(
    path: Path,
    name: str,
    dataset: str,
    sources: Sequence[str],
    conditions: str,
    made_of: Mapping[str, Any],
    subsets: Mapping[str, dict],
) -> None:
    """Write the record of an evaluation.

    Args:
        path: File to write.
        name: Name of the model.
        dataset: Name of the data set.
        sources: Names of the sources that were scored.
        conditions: Description of what the scores depend on besides the model.
        made_of: Record for `identity.compare`: model hash, options of separation and scoring.
        subsets: Results of `subset_record` by subset.
    """
    content = {
        "name": name,
        "dataset": dataset,
        "sources": list(sources),
        "conditions": conditions,
        "made_of": as_plain(made_of),
        "information": _information(),
        "subsets": subsets,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, content, indent=None, allow_nan=False)


def subset_record(
    title: str,
    folder: Path,
    tracks: Sequence[Track],
    estimates: Mapping[str, Files],
    scores: Mapping[str, Sequence[TrackScores]],
) -> dict:
    """The part of a record about one subset, as plain values for JSON.

    Args:
        title: Description of the subset.
        folder: Folder of the record; paths of files are relative to it.
        tracks: The songs.
        estimates: Files of the existing estimates, by song.
        scores: Scores of every song, by system.
    """
    lengths = {track.name: track.n_samples // track.sample_rate for track in tracks}
    return {
        "title": title,
        "tracks": [_track(folder, track, estimates.get(track.name, {})) for track in tracks],
        "systems": {name: _system(of_system, lengths) for name, of_system in scores.items()},
    }


def _information() -> Dict[str, str]:
    """When, where and with which software the scores were measured, by label."""
    packages = ", ".join(f"{name} {number}" for name, number in versions().items())
    return {
        "evaluated": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": find_commit() or "not from a checkout",
        "packages": packages,
        "machine": describe_machine(),
    }


def _track(folder: Path, track: Track, estimates: Files) -> dict:
    sources = dict.fromkeys([*track.source_files, *estimates])
    references = {source: track.source_files.get(source, ()) for source in sources}
    kinds = {"references": references, "estimates": estimates}
    paths = [
        *track.mixture_files,
        *(p for kind in kinds.values() for of in kind.values() for p in of),
    ]
    hashes = file_hashes(paths)
    return {
        "name": track.name,
        "mixture": [_seen_from(folder, path) for path in track.mixture_files],
        **{
            kind: {s: [_seen_from(folder, p) for p in of] for s, of in files.items()}
            for kind, files in kinds.items()
        },
        "hashes": {_seen_from(folder, path): value for path, value in hashes.items()},
    }


def _system(scores: Sequence[TrackScores], lengths: Mapping[str, int]) -> dict:
    figures = {
        source: {metric: float(v) if np.isfinite(v) else None for metric, v in metrics.items()}
        for source, metrics in all_figures(scores).items()
    }
    return {"figures": figures, "frames": {t.track: _frames(t, lengths[t.track]) for t in scores}}


def _frames(scores: TrackScores, n_seconds: int) -> dict:
    """SDR of every second by source; None where it is undefined or was not scored."""
    return {
        source: [_defined(value) for value in metrics["SDR"]] or [None] * max(1, n_seconds)
        for source, metrics in scores.frames.items()
    }


def _seen_from(folder: Path, path: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()


def _defined(value: float) -> Optional[float]:
    return round(float(value), 4) if np.isfinite(value) else None

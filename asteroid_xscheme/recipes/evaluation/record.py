"""What was evaluated and how it scored -> record.json, the rows that reports are made from."""

import json
import os
import platform
import subprocess
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Dict, Mapping, Optional, Sequence

import numpy as np
import torch

from ...atomic import write_json
from ..data import Track
from ...version import __version__
from .run import estimate_file
from .scores import TrackScores
from .table import of_tracks

RECORD_FILE = "evaluation/record.json"
_PACKAGES = ("torch", "pytorch-lightning", "asteroid", "numpy", "scipy")


def write_record(
    run_folder: Path,
    name: str,
    dataset: str,
    sources: Sequence[str],
    conditions: str,
    subsets: Mapping[str, dict],
) -> Path:
    """Write the record of an evaluated run.

    Args:
        run_folder: Folder of the run.
        name: Of its model.
        dataset: What it was evaluated on.
        sources: Names of the sources.
        conditions: What the scores depend on beside the model, in words.
        subsets: By name, what `subset_record` returned.
    """
    path = Path(run_folder) / RECORD_FILE
    content = {
        "name": name,
        "dataset": dataset,
        "sources": list(sources),
        "conditions": conditions,
        "information": {**describe_machine(), **describe_training(run_folder)},
        "subsets": subsets,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, content, indent=None, allow_nan=False)
    return path


def subset_record(
    title: str,
    run_folder: Path,
    tracks: Sequence[Track],
    sources: Sequence[str],
    scores: Mapping[str, Sequence[TrackScores]],
) -> dict:
    """Songs that were evaluated together, as JSON can hold them.

    Args:
        title: Says what they are.
        run_folder: Folder of the run; files are named as seen from its evaluation/.
        tracks: The songs.
        sources: Names of the sources.
        scores: By system, those of every song.
    """
    folder = Path(run_folder) / "evaluation"
    return {
        "title": title,
        "tracks": [_track(folder, track, sources) for track in tracks],
        "systems": {name: _system(of_system) for name, of_system in scores.items()},
    }


def describe_machine() -> Dict[str, str]:
    """Versions, commit, processor and time: label -> value."""
    packages = ", ".join(f"{package} {version(package)}" for package in _PACKAGES)
    facts = {
        "evaluated": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "asteroid_xscheme": __version__,
        "commit": find_commit() or "not from a checkout",
        "packages": f"Python {platform.python_version()}, {packages}",
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processor cores",
    }
    if torch.cuda.is_available():
        facts["GPU"] = torch.cuda.get_device_name()
    return facts


def describe_training(run_folder: Path) -> Dict[str, str]:
    """How long a run was trained, where it knows: label -> value."""
    clock = Path(run_folder) / "seconds.json"
    if not clock.is_file():
        return {}
    seconds = json.loads(clock.read_text(encoding="utf-8")).values()
    return {"training": f"{sum(seconds) / 3600:.2f} hours, {len(seconds)} epochs"}


def find_commit() -> Optional[str]:
    """The commit that the package runs from, marked where files differ; None outside a checkout."""
    package = Path(__file__).parents[1]
    if not (package.parent / ".git").exists():
        return None
    commands = (["rev-parse", "--short=12", "HEAD"], ["status", "--porcelain", "--", "."])
    outputs = []
    for command in commands:
        done = subprocess.run(["git", "-C", str(package), *command], capture_output=True, text=True)
        if done.returncode != 0:
            return None
        outputs.append(done.stdout.strip())
    return outputs[0] + (" with changes" if outputs[1] else "")


def _track(folder: Path, track: Track, sources: Sequence[str]) -> dict:
    estimates = {source: estimate_file(folder, track, source) for source in sources}
    return {
        "name": track.name,
        "mixture": _seen_from(folder, track.mixture_file),
        "references": {
            s: [_seen_from(folder, path) for path in track.source_files.get(s, ())] for s in sources
        },
        "estimates": {s: _seen_from(folder, p) for s, p in estimates.items() if p.is_file()},
    }


def _system(scores: Sequence[TrackScores]) -> dict:
    figures = {
        source: {metric: _defined(value) for metric, value in metrics.items()}
        for source, metrics in of_tracks(scores).items()
    }
    frames = {
        track.track: {s: [_defined(v) for v in m["SDR"]] for s, m in track.frames.items()}
        for track in scores
    }
    return {"figures": figures, "frames": frames}


def _seen_from(folder: Path, path: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()


def _defined(value: float) -> Optional[float]:
    return round(float(value), 4) if np.isfinite(value) else None

"""The folder of an evaluated run -> all that a report says of it.

What was separated and scored stands in evaluation/record.json, which stage 2 writes; conf.yml, the
logs of the training and finished.json lie beside it.
"""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Optional

from ...errors import XSchemeError

RECORD_FILE = "evaluation/record.json"

#: by source and metric, a figure in dB or None
Figures = Mapping[str, Mapping[str, Optional[float]]]


class ReportError(XSchemeError):
    """A report cannot be written from what is there."""


@dataclass(frozen=True)
class Track:
    """A song of the test set.

    Attributes:
        name: Its name.
        mixture: Its file.
        references: By source, the files whose sum it is; none where the song lacks the source.
        estimates: By source, the file that the run wrote; empty if it kept none.
    """

    name: str
    mixture: Path
    references: Mapping[str, List[Path]]
    estimates: Mapping[str, Path]


@dataclass(frozen=True)
class System:
    """Scores of something that separates: figures by source and metric, SDR frames by track."""

    figures: Figures
    frames: Mapping[str, Mapping[str, List[Optional[float]]]]


@dataclass(frozen=True)
class Subset:
    """Songs that were evaluated together, and the scores on them by system."""

    title: str
    tracks: List[Track]
    systems: Dict[str, System]


@dataclass(frozen=True)
class Record:
    """An evaluated run.

    Attributes:
        name: What its model is called, e.g. X-UMX.
        folder: Where it lies.
        dataset: What it was evaluated on.
        sources: Names of the sources.
        conditions: What its scores were measured with, in words.
        subsets: What was evaluated, by name; "test" comes first.
        information: Versions, machine and the like: label -> value.
        options: Text of conf.yml.
        losses: By name of a curve ("val_loss"), its values by epoch.
    """

    name: str
    folder: Path
    dataset: str
    sources: List[str]
    conditions: str
    subsets: Dict[str, Subset]
    information: Mapping[str, str]
    options: str
    losses: Mapping[str, Mapping[int, float]]


def read_record(folder: Path) -> Record:
    """All about a run.

    Args:
        folder: The run's.

    Raises:
        ReportError: If the run has not been evaluated.
    """
    folder = Path(folder)
    path = folder / RECORD_FILE
    if not path.is_file():
        raise ReportError(f"There is no {path}: evaluate the run first (./run.sh --stage 2 ...).")
    content = json.loads(path.read_text(encoding="utf-8"))
    return Record(
        name=content["name"],
        folder=folder,
        dataset=content["dataset"],
        sources=content["sources"],
        conditions=content["conditions"],
        subsets={name: _subset(folder, of) for name, of in content["subsets"].items()},
        information={**content["information"], **_training(folder)},
        options=_text(folder / "conf.yml"),
        losses=read_losses(folder),
    )


def read_losses(folder: Path) -> Dict[str, Dict[int, float]]:
    """Curves of a training, by name and epoch."""
    curves: Dict[str, Dict[int, float]] = {}
    path = folder / "logs" / "metrics.csv"
    if path.is_file():
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                for name in row.keys() - {"epoch", "step"}:
                    if row[name]:
                        curves.setdefault(name, {})[int(row["epoch"])] = float(row[name])
    return curves


def _subset(folder: Path, content: dict) -> Subset:
    root = folder / RECORD_FILE
    return Subset(
        title=content["title"],
        tracks=[_track(root.parent, track) for track in content["tracks"]],
        systems={name: System(**system) for name, system in content["systems"].items()},
    )


def _track(folder: Path, content: dict) -> Track:
    return Track(
        name=content["name"],
        mixture=folder / content["mixture"],
        references={s: [folder / p for p in paths] for s, paths in content["references"].items()},
        estimates={s: folder / path for s, path in content["estimates"].items()},
    )


def _training(folder: Path) -> Dict[str, str]:
    """What finished.json tells of the training: epochs, hours."""
    text = _text(folder / "finished.json")
    return {f"training {name}": str(value) for name, value in json.loads(text or "{}").items()}


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""

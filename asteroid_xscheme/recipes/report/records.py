"""Read everything that a report shows about an evaluated run from the run's folder.

evaluation/record.json, which stage 2 writes, says what was separated and scored; the options, the
logs of the training and finished.json are beside it. `xscheme evaluate` writes a folder with a
record.json for each system. Files that have changed since they were scored are left out. If the
model was trained again, the run must be evaluated again first.
"""

import csv
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence

from ...atomic import read_json
from ...errors import XSchemeError
from ..identity import compare, file_hash
from ..run.folder import FINISHED

RECORD_FILES = ("evaluation/record.json", "record.json")
_ENTRIES = {"made_of", "name", "dataset", "sources", "conditions", "subsets", "information"}

log = logging.getLogger(__name__)

#: by source and metric, a figure in dB or None
Figures = Mapping[str, Mapping[str, Optional[float]]]


class ReportError(XSchemeError):
    """A report cannot be written from the files of a run."""


@dataclass(frozen=True)
class Track:
    """A song of the test set.

    Attributes:
        name: Name of the song.
        mixture: Files that add up to the mixture; empty if one has changed since the evaluation.
        references: By source, files that add up to it; empty if the song lacks the source.
        estimates: By source, files that add up to its estimate; without changed files.
    """

    name: str
    mixture: List[Path]
    references: Mapping[str, List[Path]]
    estimates: Mapping[str, List[Path]]


@dataclass(frozen=True)
class System:
    """Scores of a system: figures by source and metric, and SDR of every second by track."""

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
        name: Name of the model, such as X-UMX.
        folder: Folder of the run.
        dataset: Data set that it was evaluated on.
        sources: Names of the sources.
        conditions: Description of how the scores were measured.
        subsets: Subsets that were evaluated, by name, "test" first.
        information: Versions, machine and similar facts, by label.
        options: Text of conf.yml.
        losses: Values by epoch, by name of the curve (such as "val_loss").
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
    """Read the record of a run.

    Args:
        folder: Folder of the run.

    Raises:
        ReportError: If the run has not been evaluated, its record does not say how, or its model
            has changed since.
    """
    folder = Path(folder)
    path = next((folder / name for name in RECORD_FILES if (folder / name).is_file()), None)
    if path is None:
        raise ReportError(
            f"There is no {folder / RECORD_FILES[0]}: evaluate the run first "
            "(./run.sh --stage 2 ...)."
        )
    content = read_json(path)
    if not isinstance(content, dict) or not _ENTRIES <= set(content):
        raise ReportError(f"{path} does not record what was scored: evaluate the run again.")
    trained = read_json(folder / FINISHED) if (folder / FINISHED).is_file() else {}
    _check_model(folder, content["made_of"], trained)
    training = {f"training {k}": str(v) for k, v in trained.items() if k in ("epochs", "hours")}
    return Record(
        name=content["name"],
        folder=folder,
        dataset=content["dataset"],
        sources=content["sources"],
        conditions=content["conditions"],
        subsets={name: _subset(path.parent, of) for name, of in content["subsets"].items()},
        information={**content["information"], **training},
        options=_text(folder / "conf.yml"),
        losses=read_losses(folder),
    )


def find_runs(folders: Sequence[Path]) -> List[Path]:
    """The folders of runs; a folder of `xscheme evaluate` is replaced by those of its systems."""
    runs: List[Path] = []
    for folder in map(Path, folders):
        runs += sorted(path.parent for path in folder.glob("records/*/record.json")) or [folder]
    return runs


def read_losses(folder: Path) -> Dict[str, Dict[int, float]]:
    """The curves of a training from its logs: values by epoch, by name."""
    curves: Dict[str, Dict[int, float]] = {}
    path = folder / "logs" / "metrics.csv"
    if path.is_file():
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                for name in row.keys() - {"epoch", "step"}:
                    if row[name]:
                        curves.setdefault(name, {})[int(row["epoch"])] = float(row[name])
    return curves


def _check_model(folder: Path, made_of: Mapping, trained: Mapping) -> None:
    """Refuse scores that were not measured with the run's current model."""
    if "weights" not in trained or "model" not in made_of:
        return
    comparison = compare({"model": made_of["model"]}, {"model": trained["weights"]})
    if not comparison.is_same:
        raise ReportError(
            f"The scores in {folder} are of another model ({comparison}): evaluate it again "
            "(./run.sh --stage 2 ...)."
        )


def _subset(folder: Path, content: dict) -> Subset:
    return Subset(
        title=content["title"],
        tracks=[_track(folder, track) for track in content["tracks"]],
        systems={name: System(**system) for name, system in content["systems"].items()},
    )


def _track(folder: Path, content: dict) -> Track:
    """A song, without files that have changed since they were scored, which are logged."""
    there = {name for name, value in content["hashes"].items() if _is(folder / name, value)}
    gone = sorted(set(content["hashes"]) - there)
    if gone:
        log.warning(
            "%s: left out, because they are missing or have changed since they were scored: %s",
            content["name"],
            ", ".join(gone),
        )

    def files(names: Sequence[str]) -> List[Path]:
        return [folder / name for name in names] if there.issuperset(names) else []

    estimates = {source: files(names) for source, names in content["estimates"].items()}
    return Track(
        name=content["name"],
        mixture=files(content["mixture"]),
        references={source: files(names) for source, names in content["references"].items()},
        estimates={source: paths for source, paths in estimates.items() if paths},
    )


def _is(path: Path, value: str) -> bool:
    return path.is_file() and file_hash(path) == value


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""

"""Weights, and the record of their evaluation -> the folder to share.

The record (evaluation/record.json of a run, records/NAME/record.json of `xscheme evaluate`) says by
its hash which model was scored. Scores of another are never published with these weights.
"""

import json
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from huggingface_hub import EvalResult

from ..errors import XSchemeError
from ..weights import publish
from .evaluation import flat
from .identity import compare, weights_hash

Options = Mapping[str, Mapping[str, Any]]
Record = Mapping[str, Any]


class PublicationError(XSchemeError):
    """Scores that were to be published are not there, or not of the weights."""


def read_scores(path: Path, package: Mapping[str, Any]) -> Record:
    """The record of an evaluation of a model.

    Args:
        path: A record.json.
        package: The model that is to be published.

    Raises:
        PublicationError: If there is none, or its scores are of another model.
    """
    if not path.is_file():
        raise PublicationError(f"There is no {path}.")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        scored = {"model": record["made_of"]["model"]}
        record["subsets"][_subset(record)]["systems"][record["name"]]["figures"]
    except (ValueError, LookupError, TypeError) as error:
        raise PublicationError(f"{path} does not say which model was scored, and how.") from error
    comparison = compare(scored, {"model": weights_hash(package)})
    if not comparison.is_same:
        raise PublicationError(f"The scores in {path} are of another model ({comparison}).")
    return record


def publish_scored(
    package: Mapping[str, Any],
    record: Optional[Record],
    options: Options,
    folder: Path,
    uploader: Optional[str] = None,
    repository: Optional[str] = None,
) -> Path:
    """Write `publish_dir` in a folder; see `weights.publish`.

    Args:
        package: The model.
        record: What `read_scores` returned; None publishes no scores.
        options: Of the training, as from `Config.to_result_dict`. Those of separation and scoring
            are replaced by the ones that the scores were made with.
        folder: Of the run.
        uploader: Who publishes.
        repository: "owner/name" where it goes.
    """
    if record is None:
        return publish(package, {}, options, folder, uploader=uploader, repository=repository)
    metrics = {k: v for k, v in flat(_figures(record)).items() if v is not None}
    options, results = _scored_options(options, record), _results(record)
    return publish(package, metrics, options, folder, None, uploader, results, repository)


def _subset(record: Record) -> str:
    """The first subset is the one that counts: "test" where there is one."""
    return next(iter(record["subsets"]))


def _figures(record: Record) -> Dict[str, Dict[str, Any]]:
    return record["subsets"][_subset(record)]["systems"][record["name"]]["figures"]


def _results(record: Record) -> List[EvalResult]:
    """The scores as the hub reads them, to a thousandth of a dB."""
    return [
        EvalResult(
            task_type="audio-to-audio",
            task_name="Music source separation",
            dataset_type=record["dataset"],
            dataset_name=record["dataset"],
            dataset_split=_subset(record),
            metric_type=metric.lower().replace("-", "_"),
            metric_name=f"{metric} of {source} in dB",
            metric_value=round(value, 3),
        )
        for source, of_source in _figures(record).items()
        for metric, value in of_source.items()
        if value is not None
    ]


def _scored_options(options: Options, record: Record) -> Dict[str, Dict[str, Any]]:
    """The options of a run, with those that its scores were made with."""
    made_of, groups = record["made_of"], {name: dict(group) for name, group in options.items()}
    groups["separation"] = made_of["separation"]
    scoring, known = made_of["scoring"], groups.get("evaluation", made_of["scoring"])
    groups["evaluation"] = {**known, **{k: v for k, v in scoring.items() if k in known}}
    return groups

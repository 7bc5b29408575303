"""Pack weights, together with the scores measured on them, into a folder to share.

The record of an evaluation (evaluation/record.json of a run, records/NAME/record.json of `xscheme
evaluate`) holds the hash of the model that was scored. Scores of any other model are refused.
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
    """The scores to publish are missing, or belong to other weights."""


def read_scores(path: Path, package: Mapping[str, Any]) -> Record:
    """Read the record of a model's evaluation.

    Args:
        path: A record.json.
        package: The model to publish.

    Raises:
        PublicationError: If the file is missing or damaged, or its scores are of another model.
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
    """Write `publish_dir` into a folder and return its path; see `weights.publish`.

    Args:
        package: The model.
        record: What `read_scores` returned; None publishes no scores.
        options: Options of the training, as in conf.yml. Its options of separation and scoring are
            replaced by those that the scores were measured with.
        folder: Folder of the run.
        uploader: Name of the person who publishes.
        repository: "owner/name" of the Hugging Face repository.
    """
    if record is None:
        return publish(package, {}, options, folder, uploader=uploader, repository=repository)
    metrics = {k: v for k, v in flat(_figures(record)).items() if v is not None}
    options, results = _scored_options(options, record), _results(record)
    return publish(package, metrics, options, folder, None, uploader, results, repository)


def _subset(record: Record) -> str:
    """The subset whose scores are published: the first, which is "test" if there is one."""
    return next(iter(record["subsets"]))


def _figures(record: Record) -> Dict[str, Dict[str, Any]]:
    return record["subsets"][_subset(record)]["systems"][record["name"]]["figures"]


def _results(record: Record) -> List[EvalResult]:
    """The scores in the hub's format, rounded to 0.001 dB."""
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
    """The options of a run, with the separation and scoring that its scores were measured with."""
    made_of, groups = record["made_of"], {name: dict(group) for name, group in options.items()}
    groups["separation"] = made_of["separation"]
    scoring, known = made_of["scoring"], groups.get("evaluation", made_of["scoring"])
    groups["evaluation"] = {**known, **{k: v for k, v in scoring.items() if k in known}}
    return groups

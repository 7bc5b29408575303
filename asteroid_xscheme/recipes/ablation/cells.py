"""The folder of a cell (a row of a grid with one seed), and the work of its child process.

    options.yml     options of the cell, written by the grid
    grid.json       record of what the cell depends on, written by the grid
    seconds.json    duration of each epoch in seconds, written by the training
    ...             the other files of `train` and `evaluate_run`
    inference.json  number of parameters and speed of the trained model
    cell.json       written last: the cell is finished and will not run again

A child process can be stopped at any moment; it continues when the grid is started again.
"""

import csv
import time
from pathlib import Path
from typing import Any, Dict, Sequence

import torch
from pytorch_lightning.utilities import rank_zero_only

from ...atomic import read_json, write_json, write_text
from ...audio import read_audio
from ...errors import XSchemeError
from ...weights import load_package
from ..config import Config, result_options
from ..data import configured_tracks, track_contents
from ..evaluation import Scoring, evaluate_baselines, write_csv
from ...models import BridgedModel
from ..identity import Record, as_plain, file_hash, weights_hash
from ..machine import find_commit
from ..run import pretrained_record, refuse_changes
from ..stages import best_model, evaluate_run
from ...separation import Separator
from ..training import train

OPTIONS = "options.yml"
GRID_RECORD = "grid.json"
CELL = "cell.json"
INFERENCE = "inference.json"
SCORES = "all_metrics.csv"

_EXCERPT_SECONDS = 10.0  # length of the excerpt that inference is timed on
_REPETITIONS = 3


class AblationError(XSchemeError):
    """A grid cannot be finished."""


def grid_record(config: Config) -> Record:
    """The record of what the figures of a cell, or of the baselines, depend on.

    A cell uses one device unless `devices` asks for more.
    """
    data, training = config.data, config.training
    options: Dict[str, Any] = {"architecture": config.architecture}
    groups = (config.model, data, config.loss, config.optim, training)
    for group in (*groups, config.separation, config.evaluation):
        options.update(result_options(group))
    return as_plain(
        {
            **options,
            "number of processes (devices)": training.n_processes or training.num_nodes,
            **pretrained_record(training),
            "training tracks": track_contents(configured_tracks(data, "train")),
            "test tracks": track_contents(configured_tracks(data, "test")),
        }
    )


def claim(folder: Path, config: Config, record: Record) -> None:
    """Write the options and the record of a cell into its folder.

    Raises:
        ConfigError: If the folder already holds a cell with another record. Options that affect no
            figure may differ.
    """
    if (folder / OPTIONS).is_file():
        before = read_json(folder / GRID_RECORD) if (folder / GRID_RECORD).is_file() else None
        remedy = "Give the same options and data, or choose another --exp_dir."
        refuse_changes(f"{folder} contains a cell of another grid", before, record, remedy)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / GRID_RECORD, record)
    write_text(folder / OPTIONS, config.to_yaml())


def run_cell(folder: Path) -> None:
    """Train and evaluate a cell, or finish what is missing.

    With several devices all processes train, and the first one does the rest.
    """
    config = Config.from_yaml(folder / OPTIONS)
    train(config, folder)
    if rank_zero_only.rank:  # type: ignore[attr-defined]  # Lightning keeps it on the function
        return
    evaluate_run(config, folder)
    seconds = read_json(folder / "seconds.json")
    write_json(
        folder / CELL,
        {
            "training_seconds": sum(seconds.values()),
            "epochs": len(seconds),
            "commit": find_commit(),
            "threads": torch.get_num_threads(),
            "made_of": _weights_of(folder),
        },
    )


def _weights_of(folder: Path) -> Dict[str, str]:
    return {"weights": weights_hash(load_package(best_model(folder)))}


def run_baselines(folder: Path) -> None:
    """Score the mixture, the static filter and the oracle on the test tracks."""
    config = Config.from_yaml(folder / OPTIONS)
    data = config.data
    scoring = Scoring(data.sources, config.evaluation.bss_eval, config.evaluation.eval_jobs)
    tracks = configured_tracks(data, "test")
    train_tracks = configured_tracks(data, "train")
    write_csv(evaluate_baselines(tracks, train_tracks, folder, scoring), folder / SCORES)


def time_inference(folders: Sequence[Path]) -> None:
    """Time the models of several cells on the same excerpt, in turns, for equal conditions.

    Writes to each folder the number of parameters, and the seconds that the fastest of several
    repetitions takes per minute of music.
    """
    configs = [Config.from_yaml(folder / OPTIONS) for folder in folders]
    track = configured_tracks(configs[0].data, "test")[0]
    n_samples = min(track.n_samples, round(_EXCERPT_SECONDS * track.sample_rate))
    excerpt, sample_rate = read_audio(track.mixture_file, n_samples=n_samples)
    models = [BridgedModel.from_pretrained(best_model(folder)) for folder in folders]
    separators = [
        Separator(model, config.evaluation.eval_device, **config.separation.separator_options())
        for model, config in zip(models, configs)
    ]
    fastest = [float("inf")] * len(folders)
    for _ in range(_REPETITIONS):
        for i, separator in enumerate(separators):
            start = time.perf_counter()
            separator.separate(excerpt, sample_rate)  # returns CPU tensors, so nothing is running
            fastest[i] = min(fastest[i], time.perf_counter() - start)
    for folder, model, seconds in zip(folders, models, fastest):
        measured = {
            "parameters": sum(p.numel() for p in model.parameters()),
            "seconds_per_minute": seconds * 60 * sample_rate / n_samples,
            "made_of": {**_weights_of(folder), "excerpt": file_hash(track.mixture_file)},
        }
        write_json(folder / INFERENCE, measured)


def read_scores(path: Path) -> Dict[str, Dict[str, Dict[str, float]]]:
    """SDR (median over frames) by system, track and source, from an all_metrics.csv."""
    scores: Dict[str, Dict[str, Dict[str, float]]] = {}
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            track = scores.setdefault(row["system"], {}).setdefault(row["track"], {})
            track[row["source"]] = float(row["SDR_median"])
    return scores

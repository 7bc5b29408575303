"""What a cell keeps in its folder, and how its child process fills it.

    options.yml     the cell's options, written by the grid
    seconds.json    seconds of each epoch, written by training
    ...             what `train` and `evaluate_run` leave
    inference.json  parameters and speed of the trained model
    cell.json       written last: the cell is finished and never run again

A child that is stopped at any moment continues when the grid is started again.
"""

import csv
import json
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, Sequence

import torch
from filelock import FileLock, Timeout

from ...atomic import write_json
from ...audio import read_audio
from ...errors import XSchemeError
from ..config import Config, ConfigError
from ..data import configured_tracks
from ..evaluation import Scoring, evaluate_baselines, find_commit, write_csv
from ...models import BridgedModel
from ..stages import best_model, evaluate_run
from ...separation import Separator
from ..training import train

OPTIONS = "options.yml"
CELL = "cell.json"
INFERENCE = "inference.json"
SCORES = "all_metrics.csv"

#: options that change speed and files, not figures
_FREE = frozenset(
    "num_workers cache source_dir accelerator devices num_nodes strategy save_top_k resume "
    "eval_jobs eval_device save_estimates baselines".split()
)
_EXCERPT_SECONDS = 10.0  # that inference is timed with
_REPETITIONS = 3


class AblationError(XSchemeError):
    """A grid could not be finished."""


def claim(folder: Path, config: Config) -> None:
    """Write the options of a folder, or see that what is there was made with them.

    Raises:
        ConfigError: If other options made it, except for those that change no figure.
    """
    path = folder / OPTIONS
    if path.is_file():
        before, now = Config.from_yaml(path).to_dict(), config.to_dict()
        changed = [
            f"{name} was {before[group].get(name)}, is now {value}"
            for group in now
            for name, value in now[group].items()
            if name not in _FREE and before[group].get(name) != value
        ]
        if changed:
            raise ConfigError(
                f"{folder} was made with other options ({'; '.join(changed)}). Give the same, or "
                "choose another --exp_dir."
            )
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(config.to_yaml(), encoding="utf-8")


def run_cell(folder: Path) -> None:
    """Train and evaluate a cell, or do what is missing of it."""
    config = Config.from_yaml(folder / OPTIONS)
    with _alone(folder):
        train(config, folder)
        evaluate_run(config, folder)
        seconds = read_json(folder / "seconds.json")
        write_json(
            folder / CELL,
            {
                "training_seconds": sum(seconds.values()),
                "epochs": len(seconds),
                "commit": find_commit(),
                "threads": torch.get_num_threads(),
            },
        )


def run_baselines(folder: Path) -> None:
    """Score the mixture, the static filter and the oracle on the test tracks."""
    config = Config.from_yaml(folder / OPTIONS)
    data = config.data
    scoring = Scoring(data.sources, config.evaluation.bss_eval, config.evaluation.eval_jobs)
    tracks, train_tracks = (configured_tracks(data, subset) for subset in ("test", "train"))
    with _alone(folder):
        write_csv(evaluate_baselines(tracks, train_tracks, folder, scoring), folder / SCORES)


def time_inference(folders: Sequence[Path]) -> None:
    """Time the models of several cells on the same excerpt, in turns, so that all meet the same.

    Writes the number of parameters and the seconds per minute of music (the fastest of some
    repetitions) of each cell.
    """
    configs = [Config.from_yaml(folder / OPTIONS) for folder in folders]
    data = configs[0].data
    track = configured_tracks(data, "test")[0]
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
            separator.separate(excerpt, sample_rate)  # ends on the CPU: nothing is still running
            fastest[i] = min(fastest[i], time.perf_counter() - start)
    for folder, model, seconds in zip(folders, models, fastest):
        measured = {
            "parameters": sum(p.numel() for p in model.parameters()),
            "seconds_per_minute": seconds * 60 * sample_rate / n_samples,
        }
        write_json(folder / INFERENCE, measured)


def read_scores(path: Path) -> Dict[str, Dict[str, Dict[str, float]]]:
    """SDR, the median over frames, by system, track and source, of an all_metrics.csv."""
    scores: Dict[str, Dict[str, Dict[str, float]]] = {}
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            track = scores.setdefault(row["system"], {}).setdefault(row["track"], {})
            track[row["source"]] = float(row["SDR_median"])
    return scores


def read_json(path: Path) -> Any:
    """Content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder while a child works in it."""
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise AblationError(f"Another process works in {folder}; wait for it or end it.") from None
    try:
        yield
    finally:
        lock.release()

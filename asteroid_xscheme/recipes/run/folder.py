"""A run's folder: who works in it, what its run is made of, and whether that is finished.

conf.yml, made_of.json   the run's options and its record, written when it begins to run
checkpoints/             the best ones, and last.ckpt
logs/                    of the loggers, and metrics.csv, a row for each epoch
seconds.json             seconds of each epoch
best_k_models.json       validation losses of the best checkpoints
best_model.pth           the best of them, which any asteroid can read
finished.json            written last: epochs, hours, and the hash of best_model.pth
"""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from ...atomic import alone, read_json, replacing, write_json
from ...hidden import remove_orphans
from ...weights import load_package
from ..config import Config, ConfigError, TrainingConfig, result_options
from ..data import MusicDataModule, track_contents
from ..identity import Record, as_plain, compare, read_record, weights_hash, write_record
from .errors import TrainingError

FINISHED = "finished.json"
MADE_OF = "made_of"  # entry of a checkpoint
_MOST_CHANGES = 8  # that a message lists


def run_record(config: Config, data: MusicDataModule, n_processes: int) -> Record:
    """What a training is made of but for its length, which may grow.

    Args:
        config: The options.
        data: Their tracks.
        n_processes: How many train together, each with batches of `batch_size`.
    """
    options: Dict[str, Any] = {"architecture": config.architecture}
    for group in (config.model, config.data, config.loss, config.optim, config.training):
        options.update(result_options(group))
    del options["epochs"]
    return as_plain(
        {
            **options,
            "number of processes (devices)": n_processes,
            **pretrained_record(config.training),
            "training tracks": _by_folder(data, data.train_tracks),
            "validation tracks": _by_folder(data, data.valid_tracks),
        }
    )


def pretrained_record(options: TrainingConfig) -> Record:
    """Whose weights a training starts from; the map only where there is one."""
    name, starts = options.pretrained, options.starts
    weights = {"pretrained weights": name and weights_hash(load_package(name))}
    return {**weights, "pretrained_map": starts} if starts else weights


class RunFolder:
    """The folder of a run.

    Args:
        path: The folder; it need not exist.

    Attributes:
        made_of: The record of the run that is about to run in it.
    """

    LAST = "last.ckpt"

    def __init__(self, path: Path):
        self.path = Path(path)
        self.made_of: Record = {}

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def best_model(self) -> Path:
        """The file of the trained model."""
        return self.path / "best_model.pth"

    @property
    def conf(self) -> Path:
        """The file of the run's options."""
        return self.path / "conf.yml"

    @property
    def is_used(self) -> bool:
        """Whether a training left something here that another would mix with."""
        files = (self.best_model, self._finished, *self.checkpoints.glob("*.ckpt"))
        return any(path.is_file() for path in files)

    def held(self, is_lead: bool) -> AbstractContextManager:
        """Keep other trainings out; the lead process does so for all processes of a training.

        Raises:
            BusyError: If another training holds the folder.
        """
        return alone(self.path) if is_lead else nullcontext()

    def refuse_other(self, record: Record) -> None:
        """See that the folder is new or holds a run that is made of the same.

        Raises:
            ConfigError: If it holds another, or nothing says what it holds.
        """
        if self.is_used:
            remedy = "To resume it, give the same options and data; otherwise choose another --tag."
            refuse_changes(
                f"{self.path} contains another run", read_record(self.path), record, remedy
            )

    def finished_epochs(self, epochs: int) -> Optional[int]:
        """Epochs of the finished run, if nothing is left to do.

        Args:
            epochs: As many as are asked for. A run that ended for want of progress
                (`patience`) before its last epoch needs no more, however many are asked for.
        """
        if not (self._finished.is_file() and self.best_model.is_file()):
            return None
        finished = read_json(self._finished)
        if finished.get("weights") != weights_hash(load_package(str(self.best_model))):
            return None
        trained, planned = finished["epochs"], Config.from_yaml(self.conf).training.epochs
        return trained if trained < planned or trained >= epochs else None

    def begin(self, config: Config) -> None:
        """Note down whose run this is; it is not finished from here on."""
        self._finished.unlink(missing_ok=True)
        with replacing(self.conf) as part:
            part.write_text(config.to_yaml(), encoding="utf-8")
        write_record(self.path, self.made_of)

    def finish(self, epochs: int, package: Mapping[str, Any]) -> None:
        """Note down that best_model.pth is what the run leaves."""
        seconds = read_json(self.seconds)
        hours = sum(seconds.values()) / 3600
        write_json(
            self._finished, {"epochs": epochs, "hours": hours, "weights": weights_hash(package)}
        )

    @property
    def seconds(self) -> Path:
        """The file with the seconds of each epoch."""
        return self.path / "seconds.json"

    def remove_orphans(self) -> None:
        """Remove the unfinished files of a killed training; only for who holds the folder."""
        for folder in (self.path, self.path / "checkpoints", self.path / "logs"):
            remove_orphans(folder)

    @property
    def _finished(self) -> Path:
        return self.path / FINISHED


def refuse_changes(what: str, before: Optional[Record], now: Record, remedy: str) -> None:
    """Raise ConfigError unless a product is made of the same, and say what changed.

    Args:
        what: What is wrong then.
        before: The product's record.
        now: The record it should have.
        remedy: What to do.
    """
    comparison = compare(before, now)
    if comparison.is_same:
        return
    changes = comparison.changes or (str(comparison),)
    listed = "; ".join(changes[:_MOST_CHANGES])
    more = f"; and {len(changes) - _MOST_CHANGES} more" if len(changes) > _MOST_CHANGES else ""
    raise ConfigError(f"{what} ({listed}{more}). {remedy}")


def refuse_fewer_epochs(where: Path, trained: int, epochs: int) -> None:
    """Raise TrainingError if a training already has more epochs than it is asked for."""
    if trained > epochs:
        raise TrainingError(
            f"{where} already has {trained} epochs, more than --epochs {epochs}: give {trained} or "
            "more, or choose another --tag."
        )


def _by_folder(data: MusicDataModule, tracks) -> Dict[str, Dict[str, str]]:
    """Contents of tracks by the place of their folder in `train_dir`, wherever it lies."""
    return {
        f"folder {place}": track_contents([track for track in tracks if track.root == root])
        for place, root in enumerate(data.roots, start=1)
    }

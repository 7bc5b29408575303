"""The folder of a run: lock it, record the run's options and data, and tell if it is finished.

conf.yml, made_of.json   options and record of the run, written when training starts
checkpoints/             the best checkpoints, and last.ckpt
logs/                    output of the loggers, and metrics.csv with a row per epoch
seconds.json             duration of each epoch in seconds
best_k_models.json       validation losses of the best checkpoints
best_model.pth           weights of the best checkpoint, which Asteroid can read
finished.json            written last: epochs, hours, and the hash of best_model.pth
"""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from ...atomic import alone, read_json, write_json, write_text
from ...hidden import remove_orphans
from ...weights import load_package
from ..config import Config, ConfigError, TrainingConfig, result_options
from ..data import MusicDataModule, track_contents
from ..identity import Record, as_plain, compare, read_record, weights_hash, write_record
from .errors import TrainingError

FINISHED = "finished.json"
MADE_OF = "made_of"  # entry of a checkpoint
_MOST_CHANGES = 8  # listed in a message


def run_record(config: Config, data: MusicDataModule, n_processes: int) -> Record:
    """The record of a training: all that its result depends on except `epochs`, which may grow.

    Args:
        config: The options.
        data: The tracks that the options select.
        n_processes: Number of processes that train together, each on batches of `batch_size`.
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
    """The part of the record about pretrained weights; `pretrained_map` only if it is set."""
    name, starts = options.pretrained, options.starts
    weights = {"pretrained weights": name and weights_hash(load_package(name))}
    return {**weights, "pretrained_map": starts} if starts else weights


class RunFolder:
    """The folder of a run.

    Args:
        path: The folder; it need not exist.

    Attributes:
        made_of: The record of the run that is about to start in it.
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
        """Whether the folder holds checkpoints or a model of a training."""
        files = (self.best_model, self._finished, *self.checkpoints.glob("*.ckpt"))
        return any(path.is_file() for path in files)

    def held(self, is_lead: bool) -> AbstractContextManager:
        """Lock the folder against other trainings.

        Args:
            is_lead: Whether this is the lead process, which locks on behalf of all processes.

        Raises:
            BusyError: If another training has locked the folder.
        """
        return alone(self.path) if is_lead else nullcontext()

    def refuse_other(self, record: Record) -> None:
        """Check that the folder is new or holds a run with this record.

        Raises:
            ConfigError: If it holds another run, or a run without a record.
        """
        if self.is_used:
            remedy = "To resume it, give the same options and data; otherwise choose another --tag."
            refuse_changes(
                f"{self.path} contains another run", read_record(self.path), record, remedy
            )

    def finished_epochs(self, epochs: int) -> Optional[int]:
        """The number of epochs of a finished run, or None if there is more to train.

        Args:
            epochs: The requested number. A run that early stopping (`patience`) ended is finished
                whatever the number.
        """
        if not (self._finished.is_file() and self.best_model.is_file()):
            return None
        finished = read_json(self._finished)
        if finished.get("weights") != weights_hash(load_package(str(self.best_model))):
            return None
        trained, planned = finished["epochs"], Config.from_yaml(self.conf).training.epochs
        return trained if trained < planned or trained >= epochs else None

    def begin(self, config: Config) -> None:
        """Write the options and the record of the run, and mark it as unfinished."""
        self._finished.unlink(missing_ok=True)
        write_text(self.conf, config.to_yaml())
        write_record(self.path, self.made_of)

    def finish(self, epochs: int, package: Mapping[str, Any]) -> None:
        """Mark the run as finished.

        Args:
            epochs: Number of epochs trained.
            package: The content of best_model.pth.
        """
        seconds = read_json(self.seconds)
        hours = sum(seconds.values()) / 3600
        write_json(
            self._finished, {"epochs": epochs, "hours": hours, "weights": weights_hash(package)}
        )

    @property
    def seconds(self) -> Path:
        """The file with the duration of each epoch in seconds."""
        return self.path / "seconds.json"

    def remove_orphans(self) -> None:
        """Remove the unfinished files of a killed training; call it only while `held`."""
        for folder in (self.path, self.path / "checkpoints", self.path / "logs"):
            remove_orphans(folder)

    @property
    def _finished(self) -> Path:
        return self.path / FINISHED


def refuse_changes(what: str, before: Optional[Record], now: Record, remedy: str) -> None:
    """Refuse an output whose record differs from the one it should have.

    Args:
        what: Start of the error message: what is wrong.
        before: The record of the output, or None.
        now: The record it should have.
        remedy: End of the error message: what to do.

    Raises:
        ConfigError: If the records differ; the message lists the differences.
    """
    comparison = compare(before, now)
    if comparison.is_same:
        return
    changes = comparison.changes or (str(comparison),)
    listed = "; ".join(changes[:_MOST_CHANGES])
    more = f"; and {len(changes) - _MOST_CHANGES} more" if len(changes) > _MOST_CHANGES else ""
    raise ConfigError(f"{what} ({listed}{more}). {remedy}")


def refuse_fewer_epochs(where: Path, trained: int, epochs: int) -> None:
    """Refuse to resume a training that already has more epochs than requested.

    Raises:
        TrainingError: If `trained` is greater than `epochs`.
    """
    if trained > epochs:
        raise TrainingError(
            f"{where} already has {trained} epochs, more than --epochs {epochs}: give {trained} or "
            "more, or choose another --tag."
        )


def _by_folder(data: MusicDataModule, tracks) -> Dict[str, Dict[str, str]]:
    """Contents of tracks by the position of their folder in `train_dir`, whatever its path."""
    return {
        f"folder {place}": track_contents([track for track in tracks if track.root == root])
        for place, root in enumerate(data.roots, start=1)
    }

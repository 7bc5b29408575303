"""Lightning callbacks that write and print the progress of a run, epoch by epoch."""

import csv
import time
from pathlib import Path
from typing import Any, Dict, List

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, EarlyStopping
from pytorch_lightning.utilities import rank_zero_only

from ...atomic import read_json, replacing, write_json
from ..config import Config
from .folder import RunFolder


class Beginning(Callback):
    """Claims the folder of the run just before the first training step."""

    def __init__(self, run: RunFolder, config: Config):
        self.run, self.config = run, config

    @rank_zero_only
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the options and the record of the run; print where a resumed run continues."""
        self.run.begin(self.config)
        if trainer.current_epoch:
            print(
                f"Resuming {self.run.path} after epoch {trainer.current_epoch}, up to epoch "
                f"{trainer.max_epochs}.",
                flush=True,
            )


class Patience(EarlyStopping):
    """Early stopping that also ends a resumed run whose patience had already run out."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop before the first step if patience had already run out."""
        if self.wait_count >= self.patience:
            trainer.should_stop = True


class EpochClock(Callback):
    """Writes the duration of every epoch to a file, which a resumed training continues."""

    def __init__(self, path: Path):
        self.path = path
        self.start = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start timing the epoch."""
        self.start = time.perf_counter()

    @rank_zero_only
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the seconds of the epoch, validation included; a repeated epoch replaces itself."""
        seconds = read_json(self.path) if self.path.is_file() else {}
        seconds = {epoch: s for epoch, s in seconds.items() if int(epoch) < trainer.current_epoch}
        seconds[str(trainer.current_epoch)] = time.perf_counter() - self.start
        write_json(self.path, seconds)


class EpochTable(Callback):
    """Writes everything that is logged per epoch to a CSV file, one row per epoch."""

    def __init__(self, path: Path):
        self.path = path

    @rank_zero_only
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add the row of the epoch; a repeated epoch replaces its row."""
        logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
        for name in ("loss", "loss_step"):  # of the last step only; TensorBoard has every step
            logged.pop(name, None)
        epoch = trainer.current_epoch
        rows = [row for row in self._rows() if int(row["epoch"]) < epoch]
        rows.append({"epoch": epoch, "step": trainer.global_step, **logged})
        names = list(dict.fromkeys(name for row in rows for name in row))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.path) as part, open(part, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(rows)

    def _rows(self) -> List[Dict[str, Any]]:
        if not self.path.is_file():
            return []
        with open(self.path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))


class EpochReport(Callback):
    """Prints one line per finished epoch, which suits both terminals and log files."""

    @rank_zero_only
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print epoch, losses, learning rate and speed."""
        metrics = trainer.callback_metrics
        print(
            f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
            f"  loss {metrics['loss_epoch']:.4f}  val_loss {metrics['val_loss']:.4f}"
            f"  lr {metrics['lr']:.2g}  {metrics['examples_per_second']:.1f} segments/s",
            flush=True,
        )

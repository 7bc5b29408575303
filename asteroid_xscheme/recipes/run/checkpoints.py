"""Checkpoints of a run: written whole, read with care, the best kept whichever folder they are in.

After every epoch come `epoch=N-val_loss=V.ckpt`, if it is among the best, and `last.ckpt`. A
checkpoint holds, beside Lightning's entries, the record of what the run is made of.
"""

import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning.callbacks import Checkpoint

from ...atomic import replacing
from .errors import TrainingError
from .folder import MADE_OF, RunFolder

_ENTRIES = {"state_dict", "optimizer_states", "callbacks", "loops", "epoch", "global_step"}
_UNREADABLE = (
    *(OSError, EOFError, RuntimeError, ValueError, KeyError, TypeError, AttributeError),
    *(zipfile.BadZipFile, zlib.error, pickle.UnpicklingError),
)


class WholeFiles(TorchCheckpointIO):
    """Writes checkpoints beside their targets, so that a name always stands for a whole file."""

    def save_checkpoint(
        self, checkpoint: Dict[str, Any], path: Any, storage_options: Optional[Any] = None
    ) -> None:
        """Write a checkpoint; the file that had its name stays until it is complete."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with replacing(path) as part:
                torch.save(checkpoint, part)
        except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
            raise TrainingError(
                f"{path} cannot be written ({_first_line(error)}): check whether the disk is full. "
                "Earlier files are intact; run the same command to resume from them."
            ) from error


def read_checkpoint(path: Path) -> Dict[str, Any]:
    """Read a checkpoint of a training without executing anything in it.

    Raises:
        TrainingError: If it is damaged or something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # reads all; torch.load checks no checksum
        if damaged is not None:
            raise zipfile.BadZipFile(f"{damaged} does not match its checksum")
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise TrainingError(f"{path} is damaged: {_first_line(error)}.") from error
    if not isinstance(checkpoint, dict) or not _ENTRIES <= set(checkpoint):
        raise TrainingError(f"{path} is not a checkpoint of a training.")
    return checkpoint


def newest_checkpoint(folder: Path) -> Optional[Tuple[Path, Dict[str, Any], str]]:
    """Where a stopped training goes on.

    Args:
        folder: The folder of the checkpoints.

    Returns:
        last.ckpt, or the newest of the others where it is missing or damaged; what it holds; and
        what has to be said about the choice. None if there are no checkpoints.

    Raises:
        TrainingError: If all of them are damaged.
    """
    last, remark = folder / RunFolder.LAST, ""
    others = sorted(set(folder.glob("*.ckpt")) - {last})
    if last.is_file():
        try:
            return last, read_checkpoint(last), ""
        except TrainingError as error:
            remark = str(error)
    elif others:
        remark = f"{last} is missing."
    found, remarks = [], [remark]
    for path in others:
        try:
            found.append((path, read_checkpoint(path)))
        except TrainingError as error:
            remarks.append(str(error))
    if found:
        path, checkpoint = max(found, key=lambda of: of[1]["global_step"])
        return path, checkpoint, f"{remark} The newest intact checkpoint is {path}."
    if any(remarks):
        raise TrainingError(f"{' '.join(remarks)} Choose another --tag, or delete {folder.parent}.")
    return None


class Checkpoints(Checkpoint):
    """Writes last.ckpt after every epoch and keeps those with the lowest validation losses.

    Args:
        run: The run's folder.
        keep: How many of the best are kept, or -1 for all.

    Attributes:
        best: By file name, the validation losses of the kept ones, the lowest first.
    """

    def __init__(self, run: RunFolder, keep: int):
        self.run, self.keep = run, keep
        self._missing: List[str] = []
        self.best: Dict[str, float] = {}

    def state_dict(self) -> Dict[str, Any]:
        """The kept ones by their names alone, so that the folder may move."""
        return {"best": dict(self.best)}

    def load_state_dict(self, state_dict: Dict[str, Any]) -> None:
        """Continue with those that are still there."""
        best = state_dict["best"]
        self._missing = [n for n in best if not (self.run.checkpoints / n).is_file()]
        self.best = self._lowest({n: v for n, v in best.items() if n not in self._missing})

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: Dict[str, Any]
    ) -> None:
        """Say what the run is made of."""
        checkpoint[MADE_OF] = dict(self.run.made_of)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Agree on the kept ones and remove what a killed training could not."""
        self.best = trainer.strategy.broadcast(self.best)
        if trainer.is_global_zero:
            self.remove_others(trainer)
            if self._missing:
                print(
                    f"{self.run.checkpoints} lacks {', '.join(self._missing)}: "
                    "best_model.pth will be the best of the other epochs.",
                    flush=True,
                )

    def remove_others(self, trainer: pl.Trainer) -> None:
        """Remove checkpoints of epochs that are not among the best."""
        known = {*self.best, Path(trainer.ckpt_path or "").name}
        for path in self.run.checkpoints.glob("epoch=*.ckpt"):
            if path.name not in known:
                path.unlink()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the epoch's checkpoints, then remove the one that is no longer among the best."""
        loss = float(trainer.callback_metrics["val_loss"])
        name = f"epoch={trainer.current_epoch}-val_loss={loss:.4f}.ckpt"
        before, self.best = self.best, self._lowest({**self.best, name: loss})
        if name in self.best:
            trainer.save_checkpoint(self.run.checkpoints / name)
        trainer.save_checkpoint(self.run.checkpoints / RunFolder.LAST)
        if trainer.is_global_zero:
            for dropped in set(before) - set(self.best):
                (self.run.checkpoints / dropped).unlink(missing_ok=True)

    def _lowest(self, losses: Dict[str, float]) -> Dict[str, float]:
        """The lowest losses in order; of equal ones the earlier."""
        ranked = sorted(losses.items(), key=lambda item: item[1])
        return dict(ranked if self.keep == -1 else ranked[: self.keep])


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else repr(error)

"""Write, read and choose the checkpoints of a run.

Every epoch writes `last.ckpt`, and `epoch=N-val_loss=V.ckpt` if it is among the best. Besides
Lightning's entries, a checkpoint holds the record of the run's options and data. Checkpoints are
listed by file name only, so the folder of a run can be moved.
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
    """Writes each checkpoint to a temporary file first, so that a named file is always complete."""

    def save_checkpoint(
        self, checkpoint: Dict[str, Any], path: Any, storage_options: Optional[Any] = None
    ) -> None:
        """Write a checkpoint; an existing file of that name stays until the new one is complete.

        Raises:
            TrainingError: If the file cannot be written.
        """
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
    """Read a checkpoint of a training without executing any code in it.

    Args:
        path: The .ckpt file.

    Returns:
        Lightning's entries and ours, with tensors on the CPU.

    Raises:
        TrainingError: If the file is damaged, or is not a checkpoint of a training.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # reads everything; torch.load checks no checksums
        if damaged is not None:
            raise zipfile.BadZipFile(f"{damaged} does not match its checksum")
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise TrainingError(f"{path} is damaged: {_first_line(error)}.") from error
    if not isinstance(checkpoint, dict) or not _ENTRIES <= set(checkpoint):
        raise TrainingError(
            f"{path} is not a checkpoint of a training: expected a file such as last.ckpt."
        )
    return checkpoint


def newest_checkpoint(folder: Path) -> Optional[Tuple[Path, Dict[str, Any], str]]:
    """Find the checkpoint to resume a stopped training from.

    Args:
        folder: The folder of the checkpoints.

    Returns:
        The path of last.ckpt or, if that is missing or damaged, of the newest other checkpoint; its
        content; and a remark for the user, empty for an intact last.ckpt. None if there are no
        checkpoints.

    Raises:
        TrainingError: If all checkpoints are damaged.
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
        run: The folder of the run.
        keep: How many of the best checkpoints to keep, or -1 for all.

    Attributes:
        best: Validation losses of the kept checkpoints by file name, the lowest first.
    """

    def __init__(self, run: RunFolder, keep: int):
        self.run, self.keep = run, keep
        self._missing: List[str] = []
        self.best: Dict[str, float] = {}

    def state_dict(self) -> Dict[str, Any]:
        """The kept checkpoints by file name, without a folder, so that the folder can move."""
        return {"best": dict(self.best)}

    def load_state_dict(self, state_dict: Dict[str, Any]) -> None:
        """Restore the list of kept checkpoints, without those whose files are gone."""
        best = state_dict["best"]
        self._missing = [n for n in best if not (self.run.checkpoints / n).is_file()]
        self.best = self._lowest({n: v for n, v in best.items() if n not in self._missing})

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: Dict[str, Any]
    ) -> None:
        """Add the record of the run's options and data to the checkpoint."""
        checkpoint[MADE_OF] = dict(self.run.made_of)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Use the same list in all processes, and remove what a killed training left behind."""
        self.best = trainer.strategy.broadcast(self.best)
        if trainer.is_global_zero:
            self.remove_others(trainer)
            if self._missing:
                print(
                    f"{self.run.checkpoints} lacks {', '.join(self._missing)}: "
                    "best_model.pth will be chosen from the other epochs.",
                    flush=True,
                )

    def remove_others(self, trainer: pl.Trainer) -> None:
        """Remove checkpoints that are not among the best."""
        known = {*self.best, Path(trainer.ckpt_path or "").name}
        for path in self.run.checkpoints.glob("epoch=*.ckpt"):
            if path.name not in known:
                path.unlink()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the checkpoints of the epoch, then remove those no longer among the best."""
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
        """The lowest losses in ascending order; of equal losses, the earlier epoch's."""
        ranked = sorted(losses.items(), key=lambda item: item[1])
        return dict(ranked if self.keep == -1 else ranked[: self.keep])


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else repr(error)

"""Stop a training at the first step whose loss, gradients or weights are not finite."""

import math
from typing import List, NoReturn

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.plugins import MixedPrecision

from .errors import TrainingError
from .folder import RunFolder

_MOST_SKIPS = 50  # steps in a row; they lower the loss scale from 2^16 to 2^-34


class FiniteSteps(Callback):
    """Stops all processes before a step or a checkpoint with values that are not finite.

    In 16-mixed precision gradients overflow now and then: the step is skipped and the loss scale
    lowered. Only many such steps in a row stop the training.

    Args:
        run: The folder of the run, named in the message.
    """

    def __init__(self, run: RunFolder):
        self.run = run
        self._losses: List[torch.Tensor] = []  # of the batches accumulated for the next step
        self._skips = 0

    def on_before_backward(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: torch.Tensor
    ) -> None:
        """Keep the loss until the step, without waiting for the device."""
        self._losses.append(loss.detach())

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Check that the losses and gradients of a step are finite in every process.

        Raises:
            TrainingError: If they are not.
        """
        losses, self._losses = torch.stack(self._losses), []
        largest = _largest([p.grad for p in pl_module.parameters() if p.grad is not None])
        is_finite = bool(torch.isfinite(losses).all()) and math.isfinite(largest)
        if _all(trainer, is_finite):
            self._skips = 0
            return
        if _all(trainer, bool(torch.isfinite(losses).all())) and self._may_skip(trainer):
            return
        rate = optimizer.param_groups[0]["lr"]
        value = float(losses.sum())
        what = "loss" if not math.isfinite(value) else "gradient"
        self._stop(
            trainer,
            f"The {what} is not finite at {_place(trainer)}: loss {value:.4g}, learning rate "
            f"{rate:.3g}, largest gradient {largest:.3g}.",
        )

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Check that the validation loss and the weights are finite in every process.

        Raises:
            TrainingError: If they are not.
        """
        loss = float(trainer.callback_metrics["val_loss"])
        weights = [value for value in pl_module.state_dict().values() if value.is_floating_point()]
        if not _all(trainer, math.isfinite(loss) and math.isfinite(_largest(weights))):
            what = "weights are" if math.isfinite(loss) else f"validation loss ({loss}) is"
            rate = trainer.optimizers[0].param_groups[0]["lr"]
            self._stop(
                trainer,
                f"The {what} not finite after {_place(trainer)}, at a learning rate of {rate:.3g}.",
            )

    def _may_skip(self, trainer: pl.Trainer) -> bool:
        """Whether mixed precision may skip this step and lower the loss scale."""
        precision = trainer.precision_plugin
        self._skips += 1
        is_scaled = isinstance(precision, MixedPrecision) and precision.scaler is not None
        return is_scaled and self._skips <= _MOST_SKIPS

    def _stop(self, trainer: pl.Trainer, what: str) -> NoReturn:
        """End this process. All processes get here; only the first reports why."""
        if not trainer.is_global_zero:
            raise SystemExit(1)
        last = self.run.checkpoints / RunFolder.LAST
        kept = f"{last} is from the last good epoch." if last.is_file() else "Nothing was saved."
        raise TrainingError(f"{what} {kept} {_REMEDY}")


_REMEDY = "Try a lower --lr, or --gradient_clipping, with another --tag."


def _all(trainer: pl.Trainer, value: bool) -> bool:
    """Whether the value is true in every process."""
    return bool(trainer.strategy.reduce_boolean_decision(value, all=True))


def _largest(tensors: List[torch.Tensor]) -> float:
    """The largest absolute value; NaN if any value is NaN."""
    return float(torch.nn.utils.get_total_norm(tensors, math.inf))


def _place(trainer: pl.Trainer) -> str:
    batch = trainer.fit_loop.epoch_loop.batch_idx + 1
    return f"epoch {trainer.current_epoch + 1}, step {batch} of {trainer.num_training_batches}"

"""A training whose loss, gradients or weights are no longer finite stops at that step."""

import math
from typing import List, NoReturn

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.plugins import MixedPrecision

from .errors import TrainingError
from .folder import RunFolder

_MOST_SKIPS = 50  # steps in a row; by then a scale of 2^16 has fallen to 2^-34


class FiniteSteps(Callback):
    """Stops all processes before a step that is not finite, and before an epoch's checkpoint.

    In 16-mixed precision the scale of the loss is lowered where gradients overflow, and that step
    is left out: single ones belong to it.

    Args:
        run: The run's folder, for the message.
    """

    def __init__(self, run: RunFolder):
        self.run = run
        self._losses: List[torch.Tensor] = []  # of the batches whose gradients are added
        self._skips = 0

    def on_before_backward(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: torch.Tensor
    ) -> None:
        """Keep the loss until the step, without waiting for it."""
        self._losses.append(loss.detach())

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """See that the losses and gradients of a step are finite in every process."""
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
        """See that the validation loss and the weights are finite in every process."""
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
        """Whether the step is left out and the scale of the loss lowered."""
        precision = trainer.precision_plugin
        self._skips += 1
        is_scaled = isinstance(precision, MixedPrecision) and precision.scaler is not None
        return is_scaled and self._skips <= _MOST_SKIPS

    def _stop(self, trainer: pl.Trainer, what: str) -> NoReturn:
        """End this process; all others come here too, and the first one says why."""
        if not trainer.is_global_zero:
            raise SystemExit(1)
        last = self.run.checkpoints / RunFolder.LAST
        kept = f"{last} is from the last good epoch." if last.is_file() else "Nothing was saved."
        raise TrainingError(f"{what} {kept} {_REMEDY}")


_REMEDY = "Try a lower --lr, or --gradient_clipping, with another --tag."


def _all(trainer: pl.Trainer, value: bool) -> bool:
    """Whether it is true in every process."""
    return bool(trainer.strategy.reduce_boolean_decision(value, all=True))


def _largest(tensors: List[torch.Tensor]) -> float:
    """The largest absolute value, NaN where one is."""
    return float(torch.nn.utils.get_total_norm(tensors, math.inf))


def _place(trainer: pl.Trainer) -> str:
    batch = trainer.fit_loop.epoch_loop.batch_idx + 1
    return f"epoch {trainer.current_epoch + 1}, step {batch} of {trainer.num_training_batches}"

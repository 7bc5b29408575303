"""One training step of a model, its losses and its logs, as a Lightning module.

The validation loss is averaged over all processes, weighted by length, before the learning rate
schedule, early stopping or a checkpoint uses it, so that all processes decide alike. The random
numbers of a step depend only on (seed, epoch, step, rank). A run that is stopped and resumed
therefore computes what it would have computed without the stop.
"""

import time
from typing import Any, Dict, Iterable, Mapping, Optional, Tuple, Union, cast

import numpy as np
import pytorch_lightning as pl
import torch
from asteroid.engine import optimizers
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, MultiStepLR, ReduceLROnPlateau

from .config import ConfigError, OptimConfig, check_one_of
from ..losses import MultiDomainLoss, WaveformL1Loss
from ..models import BridgedModel

Batch = Tuple[torch.Tensor, torch.Tensor]
Schedule = Union[LRScheduler, ReduceLROnPlateau]
Loss = Union[MultiDomainLoss, WaveformL1Loss]


class SeparationSystem(pl.LightningModule):
    """A model with its loss and optimizer; batches are `(mixture (B, C, T), sources (B, J, C, T))`.

    Args:
        model: The model to train.
        loss: Loss between the model's `(spectrograms, time_signals)` and sources (B, J, C, T): its
            `terms` are logged, its `combine` turns them into a scalar.
        optim: Options of the optimizer and the learning rate schedule.
        seed: Seed for randomness in the model, such as dropout.
    """

    def __init__(self, model: BridgedModel, loss: Loss, optim: OptimConfig, seed: int = 42):
        super().__init__()
        self.model = model
        self.loss = loss
        self.optim = optim
        self.seed = seed
        self.schedule: Optional[Schedule] = None
        self._schedule_state: Optional[dict] = None
        self._validation = WeightedMean()
        self._examples, self._epoch_start, self._speed = 0, 0.0, 0.0

    def forward(self, mixture: torch.Tensor):
        """The model's output for a mixture (B, C, T)."""
        return self.model(mixture)

    def on_train_epoch_start(self) -> None:
        """Start timing the epoch."""
        self._examples, self._epoch_start = 0, time.perf_counter()

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seed the random numbers of this step, so that they do not depend on earlier steps."""
        torch.manual_seed(step_seed(self.seed, self.current_epoch, batch_idx, self.global_rank))

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        """The loss of a batch; also logs it and its terms."""
        mixture, sources = batch
        terms = self.loss.terms(self(mixture), sources, mixture)
        value = self.loss.combine(terms)
        self._examples += len(mixture)
        shared: Any = {"on_epoch": True, "sync_dist": True, "batch_size": len(mixture)}
        self.log("loss", value, prog_bar=True, on_step=True, **shared)
        self.log_dict(self._named("train", terms), on_step=False, **shared)
        return value

    def on_validation_epoch_start(self) -> None:
        """Stop timing the training steps and start a new mean of the losses."""
        examples = self._examples * self.trainer.world_size
        self._speed = examples / (time.perf_counter() - self._epoch_start)
        self._validation = WeightedMean()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Add the loss of a chunk to the mean, weighted by its length in samples."""
        mixture, sources = batch
        terms = self.loss.terms(self(mixture), sources, mixture)
        value = self.loss.combine(terms)
        self._validation.add({"val_loss": value, **self._named("val", terms)}, mixture.shape[-1])

    def on_validation_epoch_end(self) -> None:
        """Log the mean loss over all processes and step the learning rate schedule."""
        means = self._validation.reduce()
        self.log_dict(means, sync_dist=True)  # equal in all processes; Lightning asks for the flag
        optimizer = cast(LightningOptimizer, self.optimizers())
        self.log("lr", optimizer.param_groups[0]["lr"], sync_dist=True)
        self.log("examples_per_second", self._speed, sync_dist=True)
        if isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step(means["val_loss"])
        elif self.schedule is not None:
            self.schedule.step()

    def configure_optimizers(self) -> Optimizer:
        """The optimizer. Its schedule is not given to Lightning but stepped by this class.

        Lightning would step schedules after writing the checkpoint, and would not restore a
        plateau schedule when resuming.
        """
        optimizer = _optimizer(self.model.parameters(), self.optim)
        self.schedule = make_schedule(optimizer, self.optim)
        return optimizer

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        """Add the state of the schedule to the checkpoint."""
        if self.schedule is not None:
            checkpoint["schedule"] = self.schedule.state_dict()

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        """Keep the state of the schedule until the schedule exists."""
        self._schedule_state = checkpoint.get("schedule")

    def on_fit_start(self) -> None:
        """Restore the schedule of a resumed run."""
        if self.schedule is not None and self._schedule_state is not None:
            self.schedule.load_state_dict(self._schedule_state)

    def _named(self, stage: str, terms: Mapping[str, torch.Tensor]) -> Dict[str, torch.Tensor]:
        """Flat names for the terms of the loss: stage/domain, or stage/domain/source."""
        named = {}
        for name, value in terms.items():
            if value.ndim == 0:
                named[f"{stage}/{name}"] = value.detach()
            else:
                domain = name.removesuffix("_per_source")
                for source, of_source in zip(self.model.sources, value):
                    named[f"{stage}/{domain}/{source}"] = of_source
        return named


class WeightedMean:
    """Weighted means of named values over steps and processes."""

    def __init__(self):
        self.sums: Dict[str, float] = {}
        self.weight = 0.0

    def add(self, values: Mapping[str, torch.Tensor], weight: float) -> None:
        """Add the scalar values of one step with a common weight."""
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value.item() * weight
        self.weight += weight

    def reduce(self) -> Dict[str, float]:
        """The means over all processes, the same in each; a process may have had no step."""
        own = (self.sums, self.weight)
        parts = [own]
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            parts = [own] * torch.distributed.get_world_size()
            torch.distributed.all_gather_object(parts, own)
        total = sum(weight for _, weight in parts)
        names = sorted({name for sums, _ in parts for name in sums})
        return {name: sum(sums.get(name, 0.0) for sums, _ in parts) / total for name in names}


def check_optimizer(optim: OptimConfig) -> None:
    """Check the options of the optimizer, before any data is read.

    Raises:
        ConfigError: If there is no such optimizer, or it does not accept the learning rate and
            weight decay.
    """
    known = sorted(name.lower() for name in optimizers.__all__ if name[0].isupper())
    check_one_of("optimizer", optim.optimizer.lower(), known)
    try:
        _optimizer([torch.nn.Parameter(torch.zeros(1))], optim)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"optimizer {optim.optimizer} does not accept lr {optim.lr} with weight_decay "
            f"{optim.weight_decay}: {error}"
        ) from error


def _optimizer(parameters: Iterable[torch.nn.Parameter], optim: OptimConfig) -> Optimizer:
    return optimizers.make_optimizer(
        parameters, optimizer=optim.optimizer, lr=optim.lr, weight_decay=optim.weight_decay
    )


def make_schedule(optimizer: Optimizer, optim: OptimConfig) -> Optional[Schedule]:
    """The learning rate schedule that the options name, or None for a constant rate."""
    if optim.scheduler == "plateau":
        return ReduceLROnPlateau(
            optimizer,
            factor=optim.lr_decay_gamma,
            patience=optim.lr_decay_patience,
            cooldown=optim.lr_decay_cooldown,
        )
    if optim.scheduler == "steps":
        return MultiStepLR(optimizer, optim.lr_decay_epochs, optim.lr_decay_gamma)
    return None


def step_seed(seed: int, epoch: int, batch_idx: int, rank: int) -> int:
    """A different seed for each step of each process."""
    return int(np.random.SeedSequence([seed, epoch, batch_idx, rank]).generate_state(1)[0])

"""Build Lightning's trainer from the options of a run."""

import logging
import sys
from typing import Any, List, Sequence, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.accelerators import AcceleratorRegistry
from pytorch_lightning.callbacks import (
    Callback,
    EMAWeightAveraging,
    TQDMProgressBar,
)
from pytorch_lightning.strategies import StrategyRegistry
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from ..config import Config, ConfigError, TrainingConfig
from .callbacks import Beginning, EpochClock, EpochReport, EpochTable, Patience
from .checkpoints import Checkpoints, WholeFiles
from .finite import FiniteSteps
from .folder import RunFolder
from .leaves import make_leaves_as_torch_does
from .loggers import build_loggers


def build_trainer(config: Config, run: RunFolder, callbacks: Sequence[Callback] = ()) -> pl.Trainer:
    """Build the trainer of a run.

    A single device needs no process group. Several devices, or several nodes under torchrun or
    SLURM, use DDP unless `strategy` says otherwise.

    Args:
        config: The options.
        run: The folder of the run.
        callbacks: Lightning callbacks in addition to those of every run.

    Raises:
        ConfigError: If this machine lacks a device that the options ask for, or the package of a
            logger.
    """
    options = config.training
    _check_machine(options)
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)  # their INFO messages are advertising
    make_leaves_as_torch_does()
    loggers = build_loggers(options.logger, run)
    try:
        return pl.Trainer(
            max_epochs=options.epochs,
            accelerator=options.accelerator,
            devices=options.devices,
            num_nodes=options.num_nodes,
            strategy=options.strategy,
            precision=cast(Any, options.precision),
            gradient_clip_val=options.gradient_clipping,
            accumulate_grad_batches=options.accumulate_grad_batches,
            sync_batchnorm=options.sync_batchnorm,
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
            enable_model_summary=False,
            enable_progress_bar=sys.stderr.isatty(),
            callbacks=[*_callbacks(config, run), *callbacks],
            logger=loggers,
            default_root_dir=run.path,
            plugins=[WholeFiles()],
        )
    except (MisconfigurationException, ValueError, TypeError) as error:
        raise ConfigError(
            f"accelerator {options.accelerator}, devices {options.devices}, num_nodes "
            f"{options.num_nodes} and strategy {options.strategy} do not fit this machine: "
            f"{str(error).splitlines()[0]}"
        ) from error


def _callbacks(config: Config, run: RunFolder) -> List[Callback]:
    """The callbacks of every run; Lightning calls `Checkpoints` last."""
    callbacks = [
        Beginning(run, config),
        FiniteSteps(run),
        Patience("val_loss", patience=config.optim.patience, check_on_train_epoch_end=True),
        EpochClock(run.seconds),
        EpochTable(run.path / "logs" / "metrics.csv"),
        EpochReport(),
        Checkpoints(run, config.training.save_top_k),
    ]
    if config.training.ema_decay is not None:
        callbacks.append(EMAWeightAveraging(decay=config.training.ema_decay))
    if sys.stderr.isatty():
        callbacks.append(TQDMProgressBar(leave=False))
    return callbacks


def _check_machine(options: TrainingConfig) -> None:
    """Refuse options that Lightning does not know or this machine does not support."""
    accelerators = ["auto", "gpu", *AcceleratorRegistry.available_accelerators()]
    if options.accelerator not in accelerators:
        raise ConfigError(
            f"accelerator must be one of {', '.join(accelerators)}, got {options.accelerator!r}."
        )
    strategies = ["auto", *StrategyRegistry.available_strategies()]
    if options.strategy not in strategies:
        raise ConfigError(
            f"strategy must be one of {', '.join(strategies)}, got {options.strategy!r}."
        )
    is_cpu = options.accelerator == "cpu" or (
        options.accelerator == "auto" and not torch.accelerator.is_available()
    )
    if is_cpu and options.precision == "16-mixed":
        raise ConfigError("precision 16-mixed needs a GPU; on a CPU use 32-true or bf16-mixed.")

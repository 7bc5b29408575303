"""From options to a trained model: `train(config, exp_dir)` runs, resumes and finishes a training.

`exp_dir` receives conf.yml, checkpoints/ (the best ones and last.ckpt, written once per epoch under
a temporary name), logs for TensorBoard and as CSV, seconds.json (of each epoch),
best_k_models.json and, at the end, best_model.pth, which any asteroid can read, and finished.json.
"""

import json
import logging
import sys
import time
from functools import partial
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import (
    Callback,
    EarlyStopping,
    EMAWeightAveraging,
    ModelCheckpoint,
    TQDMProgressBar,
)
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only

from ..atomic import write_json
from ..weights import save_package
from .config import Config, ConfigError
from .data import MusicDataModule, dataset_infos, magnitude_statistics
from ..losses import MultiDomainLoss, WaveformL1Loss
from ..models import BridgedModel
from .system import Loss, SeparationSystem

log = logging.getLogger(__name__)

#: options of models that change how they are computed, not what
_MEMORY_OPTIONS = {"checkpointing", "recompute"}


def train(config: Config, exp_dir: Path, callbacks: Sequence[Callback] = ()) -> Path:
    """Train a model, or continue its training where it was stopped.

    Args:
        config: All options.
        exp_dir: The run's folder.
        callbacks: Lightning callbacks of your own.

    Returns:
        Path of best_model.pth: the epoch with the lowest validation loss.

    Raises:
        ConfigError: If the folder holds another run, or options contradict what is there.
    """
    exp_dir = Path(exp_dir)
    checkpoint = _checkpoint_to_resume(config, exp_dir)
    if checkpoint is not None and _is_finished(config, exp_dir):
        log.info("%s is trained already.", exp_dir)
        return exp_dir / "best_model.pth"
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)  # its advertisements are INFO
    pl.seed_everything(config.data.seed, workers=True, verbose=False)
    data = MusicDataModule(
        config.data,
        batch_size=config.training.batch_size,
        val_dur=config.training.val_dur or config.data.seq_dur,
        nb_channels=config.model.nb_channels,
    )
    model = build_model(config, data)
    system = SeparationSystem(model, build_loss(config, model), config.optim, config.data.seed)
    trainer = build_trainer(config, exp_dir, callbacks)
    _write_config(config, exp_dir)
    trainer.fit(system, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    if trainer.is_global_zero:
        _export_best(trainer, system, config, exp_dir)
    trainer.strategy.barrier()
    return exp_dir / "best_model.pth"


def build_model(config: Config, data: MusicDataModule) -> BridgedModel:
    """The model that the options describe: new, or with the weights of `pretrained`.

    A new model that normalises its input gets the statistics of the training mixtures, which one
    process computes and the others, and later runs, read.
    """
    args = config.model.model_args(config.data.sample_rate)
    model_class = config.model.model_class(config.architecture)
    model = model_class(sources=config.data.sources, sample_rate=config.data.sample_rate, **args)
    model.fit_segments(data.segment)
    if config.training.pretrained is None:
        model.start_normalisation(partial(_input_statistics, model, data))
    else:
        _take_weights(model, config.training.pretrained, data)
    model.compute_for_loss(config.loss.uses_spectrograms, config.loss.uses_waveforms)
    return model


def build_loss(config: Config, model: BridgedModel) -> Loss:
    """The loss that the options name, for the channels and spectrograms of a model."""
    options = config.loss
    if options.loss == "WaveformL1Loss":
        return WaveformL1Loss(model.nb_channels, options.loss_combine_sources)
    return MultiDomainLoss(
        window_length=model.window.numel(),
        in_chan=model.n_fft,
        n_hop=model.hop,
        spec_power=model.spec_power,
        nb_channels=model.nb_channels,
        loss_combine_sources=options.loss_combine_sources,
        loss_use_multidomain=options.loss_use_multidomain,
        mix_coef=options.mix_coef,
    )


def build_trainer(config: Config, exp_dir: Path, callbacks: Sequence[Callback] = ()) -> pl.Trainer:
    """Lightning's trainer for the machine that the options describe.

    One device runs without a process group; several, or several nodes under torchrun or SLURM, run
    DDP unless `strategy` says otherwise.
    """
    options = config.training
    return pl.Trainer(
        max_epochs=options.epochs,
        accelerator=options.accelerator,
        devices=options.devices,
        num_nodes=options.num_nodes,
        strategy=options.strategy,
        precision=options.precision,
        gradient_clip_val=options.gradient_clipping,
        accumulate_grad_batches=options.accumulate_grad_batches,
        sync_batchnorm=options.sync_batchnorm,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
        enable_model_summary=False,
        enable_progress_bar=sys.stderr.isatty(),
        callbacks=[*_callbacks(config, exp_dir), *callbacks],
        logger=[
            TensorBoardLogger(exp_dir, name="logs", version="tensorboard"),
            CSVLogger(exp_dir, name="logs/csv"),  # version_0, and one more each time it resumes
        ],
        default_root_dir=exp_dir,
    )


class EpochClock(Callback):
    """Keeps the seconds of every epoch in a file, so that a resumed training knows them all."""

    def __init__(self, path: Path):
        self.path = path
        self.start = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self.start = time.perf_counter()

    @rank_zero_only
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note down the epoch, validation included; one that is repeated replaces the first."""
        seconds = json.loads(self.path.read_text("utf-8")) if self.path.is_file() else {}
        seconds[str(trainer.current_epoch)] = time.perf_counter() - self.start
        write_json(self.path, seconds)


class EpochReport(Callback):
    """One line per finished epoch, for terminals and log files alike."""

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


def _callbacks(config: Config, exp_dir: Path) -> List[Callback]:
    checkpoints = exp_dir / "checkpoints"
    best = ModelCheckpoint(
        checkpoints,
        filename="epoch={epoch}-val_loss={val_loss:.4f}",
        auto_insert_metric_name=False,
        monitor="val_loss",
        save_top_k=config.training.save_top_k,
        save_on_train_epoch_end=True,
    )
    last = ModelCheckpoint(
        checkpoints, filename="last", enable_version_counter=False, save_on_train_epoch_end=True
    )
    stop = EarlyStopping("val_loss", patience=config.optim.patience, check_on_train_epoch_end=True)
    callbacks = [stop, EpochClock(exp_dir / "seconds.json"), EpochReport(), best, last]
    if config.training.ema_decay is not None:
        callbacks.append(EMAWeightAveraging(decay=config.training.ema_decay))
    if sys.stderr.isatty():
        callbacks.append(TQDMProgressBar(leave=False))
    return callbacks


def _checkpoint_to_resume(config: Config, exp_dir: Path) -> Optional[Path]:
    """The checkpoint that `--resume` asks for, after a look at whose run it is."""
    resume, last = config.training.resume, exp_dir / "checkpoints" / "last.ckpt"
    if resume not in ("auto", "none"):
        if not Path(resume).is_file():
            raise ConfigError(f"--resume: there is no checkpoint {resume}.")
        return Path(resume)
    if not last.is_file():
        return None
    if resume == "none":
        raise ConfigError(
            f"{exp_dir} already holds a run. Choose another --tag, delete the folder, or continue "
            "with --resume auto."
        )
    _check_same_run(config, exp_dir)
    return last


def _check_same_run(config: Config, exp_dir: Path) -> None:
    """Refuse to continue a run with options that would make it another run."""
    before = Config.from_yaml(exp_dir / "conf.yml").to_dict()
    now = config.to_dict()
    changed = [
        f"{name} was {before[group][name]}, is now {value}"
        for group in ("model", "data", "loss", "optim")
        for name, value in now[group].items()
        if name not in ("num_workers", "cache", "source_dir") and before[group][name] != value
    ]
    if changed:
        raise ConfigError(
            f"{exp_dir} holds a run with other options ({'; '.join(changed)}). Give it the same "
            "options to continue it, or choose another --tag."
        )


def _is_finished(config: Config, exp_dir: Path) -> bool:
    """Whether the run has had all its epochs."""
    finished = exp_dir / "finished.json"
    if config.training.resume != "auto" or not finished.is_file():
        return False
    return json.loads(finished.read_text(encoding="utf-8"))["epochs"] == config.training.epochs


@rank_zero_only
def _write_config(config: Config, exp_dir: Path) -> None:
    exp_dir.mkdir(parents=True, exist_ok=True)
    (exp_dir / "conf.yml").write_text(config.to_yaml(), encoding="utf-8")


def _input_statistics(model: BridgedModel, data: MusicDataModule) -> Tuple[np.ndarray, np.ndarray]:
    return magnitude_statistics(
        data.train_tracks,
        n_fft=model.n_fft,
        hop=model.hop,
        window_length=model.window.numel(),
        spec_power=model.spec_power,
        nb_channels=model.nb_channels,
        cache=data.statistics_cache,
    )


def _take_weights(model: BridgedModel, pretrained: str, data: MusicDataModule) -> None:
    """Give a model the weights of a pretrained one, which must have its options."""
    found = BridgedModel.from_pretrained(pretrained)
    found.fit_segments(data.segment)
    has, wanted = found.get_model_args(), model.get_model_args()
    differing = [
        f"{name} is {has.get(name, 'default')}, the options say {wanted.get(name, 'default')}"
        for name in sorted({*has, *wanted} - _MEMORY_OPTIONS)
        if has.get(name) != wanted.get(name)
    ]
    if type(found) is not type(model) or differing:
        raise ConfigError(
            f"{pretrained} is another {type(found).__name__} than the {type(model).__name__} of "
            f"the options: {'; '.join(differing)}. Set the options to the model's own."
        )
    model.load_state_dict(found.state_dict())


def _export_best(
    trainer: pl.Trainer, system: SeparationSystem, config: Config, exp_dir: Path
) -> None:
    """Write best_k_models.json and best_model.pth from the best epoch's checkpoint."""
    best = next(c for c in trainer.checkpoint_callbacks if c.monitor == "val_loss")
    scores = {Path(path).name: float(loss) for path, loss in best.best_k_models.items()}
    write_json(exp_dir / "best_k_models.json", scores)
    checkpoint = torch.load(best.best_model_path, map_location="cpu", weights_only=True)
    system.load_state_dict(checkpoint["state_dict"])
    package = system.model.cpu().serialize()
    package.update(dataset_infos(config.data.dataset))
    save_package(package, exp_dir / "best_model.pth")
    write_json(exp_dir / "finished.json", {"epochs": config.training.epochs})
    log.info("The best model is %s.", exp_dir / "best_model.pth")

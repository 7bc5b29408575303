"""Train a model: `train(config, exp_dir)` starts, resumes and finishes a training.

`run/folder.py` lists the files that it leaves in `exp_dir`.
"""

from functools import partial
from pathlib import Path
from typing import Optional, Sequence, Tuple

import numpy as np
import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.utilities import rank_zero_only

from ..atomic import write_json
from ..weights import save_package
from .config import Config, ConfigError, TrainingConfig
from .data import MusicDataModule, dataset_infos, magnitude_statistics
from ..losses import MultiDomainLoss, WaveformL1Loss
from ..models import BridgedModel
from .run import PretrainedWeights, RunFolder, TrainingError, build_trainer, run_record
from .run.checkpoints import Checkpoints, newest_checkpoint, read_checkpoint
from .run.folder import MADE_OF, refuse_changes, refuse_fewer_epochs
from .system import Loss, SeparationSystem, check_optimizer


def train(config: Config, exp_dir: Path, callbacks: Sequence[Callback] = ()) -> Path:
    """Train a model, or resume a training that was stopped.

    Every process of a training calls this; the first process locks the folder meanwhile.

    Args:
        config: All options.
        exp_dir: The folder of the run.
        callbacks: Additional Lightning callbacks.

    Returns:
        Path of best_model.pth, the weights of the epoch with the lowest validation loss.

    Raises:
        BusyError: If another training is using the folder.
        ConfigError: If an option is wrong, or the folder holds a run with other options or data.
        DataError: If the data is not as it should be.
        TrainingError: If the loss, gradients or weights are no longer finite, a checkpoint is
            damaged or cannot be written, or the run already has more epochs than `epochs`.
    """
    run = RunFolder(Path(exp_dir))
    check_optimizer(config.optim)
    trainer = build_trainer(config, run, callbacks)
    with run.held(trainer.is_global_zero):
        _train(config, run, trainer)
    return run.best_model


def _train(config: Config, run: RunFolder, trainer: pl.Trainer) -> None:
    """The part of `train` that runs while the folder is locked."""
    pl.seed_everything(config.data.seed, workers=True, verbose=False)
    data = MusicDataModule(
        config.data,
        batch_size=config.training.batch_size,
        val_dur=config.training.val_dur or config.data.seq_dur,
        nb_channels=config.model.nb_channels,
    )
    run.made_of = run_record(config, data, trainer.world_size)
    run.refuse_other(run.made_of)
    if _is_trained(config.training, run):
        return
    checkpoint = _where_to_start(config.training, run)
    if trainer.is_global_zero:
        run.remove_orphans()
    model = build_model(config, data)
    system = SeparationSystem(model, build_loss(config, model), config.optim, config.data.seed)
    interval = _log_interval(config, data, trainer.world_size)
    trainer.log_every_n_steps = interval  # type: ignore[attr-defined]  # Lightning gives no type
    trainer.fit(system, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    if trainer.is_global_zero:
        _export_best(trainer, system, config, run)
    trainer.strategy.barrier()


def _is_trained(options: TrainingConfig, run: RunFolder) -> bool:
    """Whether the run already has all its epochs, which is then printed."""
    trained = run.finished_epochs(options.epochs) if options.resume == "auto" else None
    if trained is None:
        return False
    refuse_fewer_epochs(run.path, trained, options.epochs)
    _say(f"{run.path} is already trained.")
    return True


def _where_to_start(options: TrainingConfig, run: RunFolder) -> Optional[Path]:
    """The checkpoint that `--resume` asks for, None to start anew; refuses that of another run."""
    if options.resume == "auto":
        path, checkpoint, remark = newest_checkpoint(run.checkpoints) or (None, {}, "")
        if remark:
            _say(remark)
    elif options.resume == "none":
        path, checkpoint = None, {}
    else:
        path = Path(options.resume)
        if not path.is_file():
            raise ConfigError(f"--resume: there is no checkpoint {path}.")
        checkpoint = read_checkpoint(path)
    if path is None and run.is_used:
        raise ConfigError(
            f"{run.path} already holds a run. Choose another --tag, delete the folder, or resume "
            "it with --resume auto if its checkpoints still exist."
        )
    if path is not None:
        remedy = (
            "Resume it with the same options and data, or fine-tune its model with --pretrained."
        )
        refuse_changes(f"{path} is from another run", checkpoint.get(MADE_OF), run.made_of, remedy)
        refuse_fewer_epochs(path, checkpoint["epoch"] + 1, options.epochs)
    return path


@rank_zero_only
def _say(text: str) -> None:
    print(text, flush=True)


def _log_interval(config: Config, data: MusicDataModule, n_processes: int) -> int:
    """Steps between two log entries: 10, or the number of steps per epoch if that is less."""
    n_examples = len(data.train_tracks) * config.data.samples_per_track
    return max(1, min(10, n_examples // (config.training.batch_size * n_processes)))


def build_model(config: Config, data: MusicDataModule) -> BridgedModel:
    """Build the model of the options, with those weights of `pretrained` that fit.

    Unless pretrained weights fill the whole model, a model that normalises its input starts from
    the statistics of the training mixtures. One process computes them; the others, and later runs,
    read them from a cache.

    Args:
        config: All options.
        data: The training data.

    Raises:
        ConfigError: If the model refuses its options, or the pretrained weights do not fit.
    """
    args = config.model.model_args(config.data.sample_rate)
    model_class = config.model.model_class(config.architecture)
    try:
        model = model_class(
            sources=config.data.sources, sample_rate=config.data.sample_rate, **args
        )
    except ValueError as error:
        raise ConfigError(f"model ({config.architecture}): {error}") from error
    model.fit_segments(data.segment)
    weights = config.training.pretrained and _pretrained(model, config.training, data)
    if not (weights and weights.are_whole):
        model.start_normalisation(partial(_input_statistics, model, data))
    if weights:
        weights.give()
    model.compute_for_loss(config.loss.uses_spectrograms, config.loss.uses_waveforms)
    return model


def build_loss(config: Config, model: BridgedModel) -> Loss:
    """Build the loss that the options name, for the channels and spectrograms of a model."""
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


def _pretrained(
    model: BridgedModel, options: TrainingConfig, data: MusicDataModule
) -> PretrainedWeights:
    """The weights to take from the pretrained model; prints what is taken."""
    name = str(options.pretrained)
    found = BridgedModel.from_pretrained(name)
    found.fit_segments(data.segment)
    weights = PretrainedWeights(model, found, name, options.starts)
    _say(str(weights))
    return weights


def _export_best(
    trainer: pl.Trainer, system: SeparationSystem, config: Config, run: RunFolder
) -> None:
    """Write best_k_models.json, and best_model.pth from the checkpoint of the best epoch."""
    kept = next(c for c in trainer.checkpoint_callbacks if isinstance(c, Checkpoints))
    kept.remove_others(trainer)
    if not kept.best:
        raise TrainingError(
            f"The checkpoints of the best epochs are missing from {run.checkpoints}, so there is "
            "no best model to save. Train again with another --tag."
        )
    write_json(run.path / "best_k_models.json", kept.best)
    checkpoint = read_checkpoint(run.checkpoints / next(iter(kept.best)))
    system.load_state_dict(checkpoint["state_dict"])
    package = system.model.cpu().serialize()
    package.update(dataset_infos(config.data.dataset))
    save_package(package, run.best_model)
    run.finish(trainer.current_epoch, package)

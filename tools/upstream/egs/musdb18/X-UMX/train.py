import argparse
import json
import os

import numpy as np
import pytorch_lightning as pl
import torch
import tqdm
import yaml
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from torch.optim.lr_scheduler import MultiStepLR, ReduceLROnPlateau

from asteroid import models
from asteroid.engine.optimizers import make_optimizer
from asteroid.engine.system import System
from asteroid.losses import MultiDomainLoss
from local import dataloader

# Keys which are not in the conf.yml file can be added here.
# In the hierarchical dictionary created when parsing, the key `key` can be
# found at dic['main_args'][key]

# By default train.py will use all available GPUs.
parser = argparse.ArgumentParser()
parser.add_argument("--exp_dir", default="exp/tmp", help="Where the run is saved, and resumed")

# Options that may be others when a run is resumed.
RESUMABLE = ("epochs", "patience", "num_workers", "train_dir")


class MusicSystem(System):
    """System whose `val_loss` is the mean over all samples of all songs on all devices.

    The scheduler is stepped after validation, before the checkpoint is saved: Lightning would do
    so after it, and a resumed run would lose a step.
    """

    def validation_step(self, batch, batch_nb):
        loss = self.common_step(batch, batch_nb, train=False)
        n_samples = batch[0].shape[-1]
        self.log(
            "val_loss", loss, batch_size=n_samples, on_epoch=True, prog_bar=True, sync_dist=True
        )

    def on_validation_epoch_end(self):
        super().on_validation_epoch_end()
        if isinstance(self.scheduler, ReduceLROnPlateau) and not self.trainer.sanity_checking:
            self.scheduler.step(self.trainer.callback_metrics["val_loss"])
        elif self.scheduler is not None and not self.trainer.sanity_checking:
            self.scheduler.step()

    def configure_optimizers(self):
        return self.optimizer

    def on_save_checkpoint(self, checkpoint):
        super().on_save_checkpoint(checkpoint)
        if self.scheduler is not None:
            checkpoint["scheduler"] = self.scheduler.state_dict()

    def on_load_checkpoint(self, checkpoint):
        if self.scheduler is not None:
            self.scheduler.load_state_dict(checkpoint["scheduler"])


def make_trainer(conf):
    """Trainer on all GPUs, or on the CPU; only several devices use DDP."""
    exp_dir = conf["main_args"]["exp_dir"]
    checkpoint = ModelCheckpoint(
        os.path.join(exp_dir, "checkpoints"),
        monitor="val_loss",
        mode="min",
        save_top_k=5,
        save_last=True,
        verbose=True,
    )
    es = EarlyStopping(
        monitor="val_loss", mode="min", patience=conf["optim"]["patience"], verbose=True
    )
    return pl.Trainer(
        max_epochs=conf["training"]["epochs"],
        callbacks=[checkpoint, es],
        default_root_dir=exp_dir,
        accelerator="gpu" if torch.cuda.is_available() else "cpu",
        devices="auto",
        gradient_clip_val=conf["training"]["gradient_clipping"],
    )


def find_last(conf):
    """Checkpoint from which to resume, if `exp_dir` holds one of a run with the same options."""
    exp_dir = conf["main_args"]["exp_dir"]
    last = os.path.join(exp_dir, "checkpoints", "last.ckpt")
    if not os.path.isfile(last):
        return None
    with open(os.path.join(exp_dir, "conf.yml")) as f:
        before = yaml.safe_load(f)
    changed = [
        key
        for group in ("training", "optim", "data", "model", "input")
        for key, value in conf[group].items()
        if key not in RESUMABLE and value != before[group].get(key)
    ]
    if changed:
        raise ValueError(
            f"{exp_dir} holds a run with other values of {', '.join(changed)}. Resume it with the "
            "same options, or choose another exp_dir."
        )
    return last


def bandwidth_to_max_bin(rate, n_fft, bandwidth):
    freqs = np.linspace(0, float(rate) / 2, n_fft // 2 + 1, endpoint=True)

    return int(np.max(np.where(freqs <= bandwidth)[0])) + 1


def get_statistics(conf, tracks):
    """Mean and standard deviation of the magnitudes of clean mixtures.

    Args:
        conf (dict): Configuration, as in local/conf.yml.
        tracks (list of dict): Tracks of a :class:`MUSDB18Dataset`.

    Returns:
        Two arrays of shape (bins,).
    """
    args = conf["model"]
    window = torch.hann_window(args["window_length"])
    n_frames, total, squares = 0, 0.0, 0.0
    for track in tqdm.tqdm(tracks, "Compute dataset statistics"):
        sources = dataloader.read_sources(track["path"], conf["data"]["sources"].split(","))
        spec = torch.stft(
            sources.sum(0),
            n_fft=args["in_chan"],
            hop_length=args["n_hop"],
            win_length=args["window_length"],
            window=window,
            return_complex=True,
        )
        spec = (spec.abs() ** args.get("spec_power", 1)).mean(0).double()
        n_frames += spec.shape[-1]
        total += spec.sum(-1).numpy()
        squares += (spec**2).sum(-1).numpy()
    mean = total / n_frames
    std = np.sqrt(np.maximum(squares / n_frames - mean**2, 0))
    return mean, np.maximum(std, 1e-4 * np.max(std))


def make_model(conf, tracks=None):
    """The model of the configuration, with random or pretrained weights.

    Args:
        conf (dict): Configuration, as in local/conf.yml.
        tracks (list of dict): Tracks for the statistics of the input; None leaves them out.
    """
    data, pretrained = conf["data"], conf["training"]["pretrained"]
    args = dict(conf["model"])
    model_class = models.get(args.pop("name"))
    if conf["input"]["bandwidth"] is not None:
        bandwidth = conf["input"]["bandwidth"]
        args["max_bin"] = bandwidth_to_max_bin(data["sample_rate"], args["in_chan"], bandwidth)
    if conf["input"]["statistics"] and tracks is not None and pretrained is None:
        args["input_mean"], args["input_scale"] = get_statistics(conf, tracks)
    model = model_class(
        sources=data["sources"].split(","),
        sample_rate=data["sample_rate"],
        return_time_signals=conf["training"]["loss_use_multidomain"],
        **args,
    )
    if pretrained is not None:
        start = models.BaseModel.from_pretrained(pretrained)
        if list(start.sources) != list(model.sources):
            raise ValueError(f"{pretrained} separates {start.sources}, not {model.sources}.")
        model.load_state_dict(start.state_dict())
    return model


def make_scheduler(optimizer, args):
    """Schedule of the learning rate, or None."""
    if args["lr_decay_epoch"] is not None:
        return MultiStepLR(optimizer, [args["lr_decay_epoch"]], args["lr_decay_gamma"])
    if args["lr_decay_patience"] is not None:
        return ReduceLROnPlateau(
            optimizer,
            factor=args["lr_decay_gamma"],
            patience=args["lr_decay_patience"],
            cooldown=10,
        )
    return None


def make_system(conf, train_loader, val_loader, tracks=None):
    """Model, loss, optimizer and data; see :func:`make_model`."""
    model = make_model(conf, tracks)
    optim, training, spec = conf["optim"], conf["training"], conf["model"]
    optimizer = make_optimizer(
        model.parameters(),
        optimizer=optim["optimizer"],
        lr=optim["lr"],
        weight_decay=optim["weight_decay"],
    )
    loss_func = MultiDomainLoss(
        window_length=spec["window_length"],
        in_chan=spec["in_chan"],
        n_hop=spec["n_hop"],
        spec_power=spec.get("spec_power", 1),
        nb_channels=spec["nb_channels"],
        loss_combine_sources=training["loss_combine_sources"],
        loss_use_multidomain=training["loss_use_multidomain"],
        mix_coef=training["mix_coef"],
    )
    return MusicSystem(
        model=model,
        loss_func=loss_func,
        optimizer=optimizer,
        train_loader=train_loader,
        val_loader=val_loader,
        scheduler=make_scheduler(optimizer, optim),
        config=conf,
    )


def save_best(system, checkpoint, exp_dir):
    """Write best_k_models.json, and best_model.pth from the best checkpoint."""
    best_k = {k: v.item() for k, v in checkpoint.best_k_models.items()}
    with open(os.path.join(exp_dir, "best_k_models.json"), "w") as f:
        json.dump(best_k, f, indent=0)
    state_dict = torch.load(checkpoint.best_model_path, map_location="cpu")
    system.load_state_dict(state_dict=state_dict["state_dict"])
    to_save = system.cpu().model.serialize()
    to_save.update(system.train_loader.dataset.get_infos())
    torch.save(to_save, os.path.join(exp_dir, "best_model.pth"))


def main(conf):
    exp_dir = conf["main_args"]["exp_dir"]
    os.makedirs(exp_dir, exist_ok=True)
    trainer = make_trainer(conf)
    pl.seed_everything(conf["data"]["seed"] + trainer.global_rank)
    last = find_last(conf)

    train_loader, val_loader = dataloader.make_loaders(
        conf, trainer.global_rank, trainer.world_size
    )
    # Other ranks receive the parameters of the first, which hold the statistics.
    needs_statistics = trainer.is_global_zero and last is None
    tracks = train_loader.dataset.tracks if needs_statistics else None
    system = make_system(conf, train_loader, val_loader, tracks)

    if trainer.is_global_zero:
        with open(os.path.join(exp_dir, "conf.yml"), "w") as f:
            yaml.safe_dump(conf, f)
    trainer.fit(system, ckpt_path=last)
    if trainer.is_global_zero:
        save_best(system, trainer.checkpoint_callback, exp_dir)


if __name__ == "__main__":
    from pprint import pprint
    from asteroid.utils import parse_args_as_dict, prepare_parser_from_dict

    # We start with opening the config file conf.yml as a dictionary from
    # which we can create parsers. Each top level key in the dictionary defined
    # by the YAML file creates a group in the parser.
    with open("local/conf.yml") as f:
        def_conf = yaml.safe_load(f)
    parser = prepare_parser_from_dict(def_conf, parser=parser)
    arg_dic = parse_args_as_dict(parser)
    pprint(arg_dic)
    main(arg_dic)

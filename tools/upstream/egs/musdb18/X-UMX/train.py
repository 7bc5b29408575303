import argparse
import json
import os

import pytorch_lightning as pl
import torch
import yaml
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from torch.optim.lr_scheduler import MultiStepLR, ReduceLROnPlateau
from tqdm import tqdm

from asteroid import models
from asteroid.engine.optimizers import make_optimizer
from asteroid.engine.system import System
from asteroid.losses import MultiDomainLoss
from local.dataloader import make_loaders, read_sources

# Keys which are not in the conf.yml file can be added here.
# In the hierarchical dictionary created when parsing, the key `key` can be
# found at dic['main_args'][key]

# By default train.py will use all available GPUs.
parser = argparse.ArgumentParser()
parser.add_argument("--exp_dir", default="exp/tmp", help="Where the run is saved, and resumed")

# Options that may change when a run is resumed.
RESUMABLE = ("epochs", "patience", "num_workers", "train_dir")


class MusicSystem(System):
    """System that validates on chunks of any length, and resumes exactly where it was stopped."""

    def on_train_batch_start(self, batch, batch_idx):
        # Dropout differs between batches and devices, and is the same in a resumed run.
        n_before = self.global_step * self.trainer.world_size + self.global_rank
        torch.manual_seed(self.config["data"]["seed"] + n_before)

    def validation_step(self, batch, batch_nb):
        loss = self.common_step(batch, batch_nb, train=False)
        weight = batch[0].shape[-1]  # in the mean over all chunks on all devices
        self.log("val_loss", loss, batch_size=weight, on_epoch=True, prog_bar=True, sync_dist=True)


def get_statistics(conf, tracks):
    """Mean and standard deviation of each bin's magnitudes in clean mixtures."""
    args = conf["model"]
    stft = dict(n_fft=args["in_chan"], hop_length=args["n_hop"], win_length=args["window_length"])
    window = torch.hann_window(args["window_length"])
    n_frames, total, squares = 0, 0, 0
    for track in tqdm(tracks, "Compute dataset statistics"):
        mixture = read_sources(track["path"], conf["data"]["sources"].split(",")).sum(0)
        spec = torch.stft(mixture, window=window, return_complex=True, **stft).abs()
        spec = (spec ** args.get("spec_power", 1)).mean(0).double()
        n_frames += spec.shape[-1]
        total += spec.sum(-1)
        squares += spec.square().sum(-1)
    mean = total / n_frames
    std = (squares / n_frames - mean**2).clamp(min=0).sqrt()
    return mean.numpy(), std.clamp(min=1e-4 * std.max()).numpy()


def make_model(conf, tracks=None):
    """The model, with random or pretrained weights, and with statistics if it gets `tracks`."""
    data, bandwidth = conf["data"], conf["input"]["bandwidth"]
    pretrained = conf["training"]["pretrained"]
    args = dict(conf["model"])
    model_class = models.get(args.pop("name"))
    if bandwidth is not None:
        bandwidth = min(bandwidth, data["sample_rate"] / 2)
        args["max_bin"] = int(bandwidth * args["in_chan"] / data["sample_rate"]) + 1
    if conf["input"]["statistics"] and tracks is not None and pretrained is None:
        args["input_mean"], args["input_scale"] = get_statistics(conf, tracks)
    model = model_class(
        sources=data["sources"].split(","),
        sample_rate=data["sample_rate"],
        return_time_signals=conf["loss"]["loss_use_multidomain"],
        **args,
    )
    if pretrained is not None:
        start = models.BaseModel.from_pretrained(pretrained)
        if list(start.sources) != list(model.sources):
            raise ValueError(f"{pretrained} separates {start.sources}, not {model.sources}.")
        model.load_state_dict(start.state_dict())
    return model


def make_scheduler(optimizer, training, n_batches):
    """Schedule of the learning rate in epochs of `n_batches`, or None."""
    gamma = training["lr_decay_gamma"]
    if training["lr_decay_epoch"] is not None:
        return MultiStepLR(optimizer, [training["lr_decay_epoch"]], gamma)
    if training["lr_decay_patience"] is not None:
        plateau = ReduceLROnPlateau(
            optimizer, factor=gamma, patience=training["lr_decay_patience"], cooldown=10
        )
        # Not at the end of an epoch: Lightning has saved its checkpoint by then, without that step.
        return {"scheduler": plateau, "interval": "step", "frequency": n_batches}
    return None


def make_system(conf, train_loader, val_loader, tracks=None):
    """The model with its loss, optimizer and data."""
    model = make_model(conf, tracks)
    optimizer = make_optimizer(model.parameters(), **conf["optim"])
    args = conf["model"]
    stft = {key: args[key] for key in ("window_length", "in_chan", "n_hop", "nb_channels")}
    return MusicSystem(
        model=model,
        loss_func=MultiDomainLoss(spec_power=args.get("spec_power", 1), **stft, **conf["loss"]),
        optimizer=optimizer,
        train_loader=train_loader,
        val_loader=val_loader,
        scheduler=make_scheduler(optimizer, conf["training"], len(train_loader)),
        config=conf,
    )


def make_trainer(conf):
    """Trainer on all GPUs, or on the CPU; several devices use DDP."""
    exp_dir, training = conf["main_args"]["exp_dir"], conf["training"]
    best = dict(monitor="val_loss", mode="min", verbose=True)
    checkpoint_dir = os.path.join(exp_dir, "checkpoints")
    return pl.Trainer(
        max_epochs=training["epochs"],
        callbacks=[
            ModelCheckpoint(checkpoint_dir, save_top_k=5, save_last=True, **best),
            EarlyStopping(patience=training["patience"], **best),
        ],
        default_root_dir=exp_dir,
        accelerator="gpu" if torch.cuda.is_available() else "cpu",
        devices="auto",
        gradient_clip_val=training["gradient_clipping"],
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
        for group in ("training", "optim", "loss", "data", "model", "input")
        for key, value in conf[group].items()
        if key not in RESUMABLE and value != before[group].get(key)
    ]
    if changed:
        raise ValueError(
            f"{exp_dir} holds a run with other values of {', '.join(changed)}. Resume it with the "
            "same options, or choose another exp_dir."
        )
    return last


def main(conf):
    exp_dir = conf["main_args"]["exp_dir"]
    os.makedirs(exp_dir, exist_ok=True)
    pl.seed_everything(conf["data"]["seed"])
    last = find_last(conf)
    trainer = make_trainer(conf)
    loaders = make_loaders(conf, trainer.global_rank, trainer.world_size)
    # Other devices receive the parameters of the first, which hold the statistics.
    needs_statistics = trainer.is_global_zero and last is None
    tracks = loaders[0].dataset.tracks if needs_statistics else None
    system = make_system(conf, *loaders, tracks)
    if trainer.is_global_zero:
        with open(os.path.join(exp_dir, "conf.yml"), "w") as f:
            yaml.safe_dump(conf, f)
    trainer.fit(system, ckpt_path=last)
    if not trainer.is_global_zero:
        return

    checkpoint = trainer.checkpoint_callback
    best_k = {k: v.item() for k, v in checkpoint.best_k_models.items()}
    with open(os.path.join(exp_dir, "best_k_models.json"), "w") as f:
        json.dump(best_k, f, indent=0)
    state_dict = torch.load(checkpoint.best_model_path, map_location="cpu")
    system.load_state_dict(state_dict=state_dict["state_dict"])
    to_save = system.cpu().model.serialize()
    to_save.update(system.train_loader.dataset.get_infos())
    torch.save(to_save, os.path.join(exp_dir, "best_model.pth"))


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

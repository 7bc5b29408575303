"""One process of a training, started by distributed_test.py; saves what it saw and decided.

Usage: one_rank.py CONF_YML EXP_DIR
"""

import sys
from pathlib import Path

import pytorch_lightning as pl
import torch

from asteroid_xscheme.recipes.config import Config
from asteroid_xscheme.recipes.training import train


class Recorder(pl.Callback):
    """Keeps the mixtures, the gradients of each step and the decisions of each epoch."""

    def __init__(self, folder):
        self.folder = folder
        self.mixtures, self.gradients, self.decisions = [], [], []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.mixtures.append(batch[0].clone())

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        named = pl_module.model.named_parameters()
        self.gradients.append({n: p.grad.clone() for n, p in named if p.grad is not None})

    def on_train_epoch_end(self, trainer, pl_module):
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        self.decisions.append((float(trainer.callback_metrics["val_loss"]), rate))

    def on_train_end(self, trainer, pl_module):
        record = (self.mixtures, self.gradients, self.decisions)
        torch.save(record, self.folder / f"rank{trainer.global_rank}.pt")


if __name__ == "__main__":
    conf, exp_dir = map(Path, sys.argv[1:])
    train(Config.from_yaml(conf), exp_dir, callbacks=[Recorder(exp_dir)])

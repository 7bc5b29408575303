"""Make training steps of the official recipes in egs/musdb18.

Networks have random weights and the input is noise; sizes, loss and optimizer are the recipe's.
"""

from dataclasses import replace
from pathlib import Path
from typing import Dict

import torch
from asteroid.engine.optimizers import make_optimizer

from asteroid_xscheme.recipes.config import Config
from asteroid_xscheme.models import ARCHITECTURES, BridgedModel
from asteroid_xscheme.recipes.training import build_loss

from .pairing import Work

FOLDER = Path(__file__).parents[1] / "egs" / "musdb18"
#: name -> folder of the recipe
RECIPES = {"X-UMX": "X-UMX", "X-D3Net": "X-D3Net", "X-Conv-TasNet": "X-ConvTasNet"}
#: name -> option that computes twice to save memory
SAVING = {"X-D3Net": "recompute", "X-Conv-TasNet": "checkpointing"}


def read_recipe(name: str, saving: bool = False) -> Config:
    """The options of a recipe, with or without the option that saves memory."""
    config = Config.from_yaml(FOLDER / RECIPES[name] / "local" / "conf.yml")
    if saving:
        config.model = replace(config.model, **{SAVING[name]: True})
    return config


def segment_samples(config: Config) -> int:
    """Samples of a training segment."""
    return int(config.data.seq_dur * config.data.sample_rate)


def build_model(config: Config) -> BridgedModel:
    """The recipe's model in training mode, returning what the multi-domain loss reads."""
    rate = config.data.sample_rate
    args: Dict = {**config.model.model_args(rate), "return_time_signals": True}
    return ARCHITECTURES[config.architecture](config.data.sources, sample_rate=rate, **args).train()


class TrainingStep:
    """Forward pass, loss, backward pass and step of the optimizer, on one batch of noise.

    Args:
        config: The recipe's options.
        batch: Segments.
        n_samples: Of a segment.
        device: Where it happens.
        bf16: Whether the networks compute in bfloat16 where autocast does, as `bf16-mixed`.
    """

    def __init__(
        self, config: Config, batch: int, n_samples: int, device: str = "cpu", bf16: bool = False
    ):
        torch.manual_seed(0)
        self.model = build_model(config)
        self.loss = build_loss(config, self.model)
        if device != "cpu":  # fake tensors, for counting, do not stand `to` even where it is idle
            self.model.to(device)
            self.loss.to(device)
        self.optimizer = make_optimizer(
            self.model.parameters(),
            optimizer=config.optim.optimizer,
            lr=config.optim.lr,
            weight_decay=config.optim.weight_decay,
        )
        shape = (batch, len(config.data.sources), config.model.nb_channels, n_samples)
        self.sources = 0.1 * torch.randn(shape, device=device)
        self.mixture = self.sources.sum(1)
        self.device_type, self.bf16 = torch.device(device).type, bf16

    def begin(self) -> None:
        """Make what lasts from step to step, gradients and the optimizer's state."""
        for parameter in self.model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        self.optimizer.step()

    def forward(self) -> torch.Tensor:
        """The loss of the batch."""
        with torch.autocast(self.device_type, torch.bfloat16, enabled=self.bf16):
            return self.loss(self.model(self.mixture), self.sources, self.mixture)

    def __call__(self) -> None:
        loss = self.forward()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


def prepare_step(name: str, batch: int, n_samples: int, warm: bool) -> Work:
    """The work of a step of a recipe: the second one, or the first with all that lasts in place."""
    step = TrainingStep(read_recipe(name), batch, n_samples)
    if warm:
        step()
    else:
        step.begin()
    return step

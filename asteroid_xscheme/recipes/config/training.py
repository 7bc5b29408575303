"""The options of training: how long, on which hardware, and from which weights."""

import re
from dataclasses import dataclass
from typing import Dict, List, Optional

from .options import ConfigError, check_one_of, option

PRECISIONS = ("32-true", "64-true", "bf16-mixed", "16-mixed")
LOGGERS = ("tensorboard", "csv", "wandb", "mlflow", "comet", "lit")
_DEVICES = re.compile(r"auto|[1-9][0-9]*|[0-9]+,([0-9]+(,[0-9]+)*,?)?")


@dataclass
class TrainingConfig:
    """Length of training, hardware, checkpoints."""

    epochs: int = option(1000, "number of epochs to train", least=1)
    batch_size: int = option(14, "segments per step on each device", least=1)
    val_dur: Optional[float] = option(
        80.0,
        "maximum length of a validation chunk in seconds (none: that of a training segment)",
        above=0,
    )
    accelerator: str = option(
        "auto",
        "hardware to train on: auto, cpu, gpu, or another Lightning accelerator",
        affects_result=False,
    )
    devices: str = option(
        "auto",
        "devices on this node: a number, indices such as 0,1, or auto",
        affects_result=False,
    )
    num_nodes: int = option(
        1, "number of nodes, under torchrun or SLURM", affects_result=False, least=1
    )
    strategy: str = option(
        "auto",
        "how to train on several devices: auto (DDP), or a Lightning strategy",
        affects_result=False,
    )
    precision: str = option("32-true", f"numeric precision, one of: {', '.join(PRECISIONS)}")
    gradient_clipping: Optional[float] = option(
        None, "maximum norm of the gradient (none: no clipping)", above=0
    )
    accumulate_grad_batches: int = option(
        1, "batches over which to accumulate gradients for each step", least=1
    )
    sync_batchnorm: bool = option(False, "share BatchNorm statistics across devices")
    ema_decay: Optional[float] = option(
        None,
        "validate and save an exponential moving average of the weights with this decay per step "
        "(none: no averaging)",
        above=0,
        below=1,
    )
    save_top_k: int = option(
        5, "number of best checkpoints to keep; -1: all", affects_result=False, least=-1
    )
    logger: List[str] = option(
        ["tensorboard", "csv"],
        f"loggers, any of: {', '.join(LOGGERS)}; csv (logs/metrics.csv) is always written",
        affects_result=False,
    )
    resume: str = option(
        "auto",
        "auto: resume a stopped run; none: do not resume; or the path of a checkpoint",
        affects_result=False,
    )
    pretrained: Optional[str] = option(
        None,
        "weights to fine-tune: a name, file, URL or Hugging Face id",
        affects_result=False,
    )
    pretrained_map: List[str] = option(
        [],
        "NEW=OLD for each source that starts from the weights of another source of `pretrained`",
        affects_result=False,
    )

    def __post_init__(self):
        check_one_of("precision", self.precision, PRECISIONS)
        for name in self.logger:
            check_one_of("logger", name, LOGGERS)
        if self.pretrained_map and self.pretrained is None:
            raise ConfigError("pretrained_map needs pretrained, the weights that it refers to.")
        if len(self.starts) < len(self.pretrained_map) or not all(self.starts.values()):
            raise ConfigError(
                "pretrained_map must be NEW=OLD pairs, each new source once; got "
                f"{' '.join(self.pretrained_map)}."
            )
        if self.save_top_k == 0:
            raise ConfigError(
                "save_top_k must be at least 1, or -1 for all: the best checkpoint becomes the "
                "model."
            )
        if not _DEVICES.fullmatch(self.devices):
            raise ConfigError(
                "devices must be auto, a number above 0, or indices such as 0,1; got "
                f"{self.devices!r}."
            )

    @property
    def starts(self) -> Dict[str, str]:
        """`pretrained_map` as a dictionary: new source -> source in `pretrained`."""
        pairs = [each.partition("=") for each in self.pretrained_map]
        return {new: old for new, _, old in pairs}

    @property
    def n_processes(self) -> Optional[int]:
        """Number of processes that train together; None if `devices` is auto."""
        if self.devices == "auto":
            return None
        indices = [index for index in self.devices.split(",") if index]
        n_devices = len(indices) if "," in self.devices else int(self.devices)
        return n_devices * self.num_nodes

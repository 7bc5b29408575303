"""The options that all models share: data, loss, optimizer, training, separation, evaluation."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from ...dsp.wiener import WIENER_METHODS
from .options import ConfigError, check_one_of, option

SOURCES = ["bass", "drums", "vocals", "other"]
DATASETS = ("musdb18", "musdb18hq", "demo", "folder")
PRECISIONS = ("32-true", "64-true", "bf16-mixed", "16-mixed")
_DEVICES = re.compile(r"auto|[1-9][0-9]*|[0-9]+,([0-9]+(,[0-9]+)*,?)?")
AUGMENTATIONS = ("gain", "channelswap", "polarity")
METRICS = ("bsseval", "usdr", "si_sdr")
LOSSES = ("MultiDomainLoss", "WaveformL1Loss")


@dataclass
class DataConfig:
    """Where the songs are and how training examples are made of them."""

    dataset: str = option("musdb18", f"what stage 0 prepares: {', '.join(DATASETS)}")
    source_dir: Optional[str] = option(
        None,
        "your zip or folder of the data set (none: download it)",
        affects_result=False,
    )
    train_dir: Optional[List[str]] = option(
        None,
        "prepared folders to train on, train/TRACK/SOURCE.wav (none: data/DATASET)",
        affects_result=False,
    )
    test_dir: Optional[str] = option(
        None,
        "prepared folder to evaluate on (none: the first of train_dir)",
        affects_result=False,
    )
    root_weights: Optional[List[float]] = option(
        None,
        "how often to draw from each folder of train_dir (none: by its number of tracks)",
        above=0,
    )
    source_map: Dict[str, Dict[str, Optional[str]]] = option(
        {},
        "by folder name: their source -> ours, or null to leave it out (in conf.yml only)",
        affects_result=False,
    )
    valid_tracks: Optional[List[str]] = option(
        None, "tracks of train/ to validate on (none: the official 14 of MUSDB18)"
    )
    sources: List[str] = option(SOURCES, "sources to separate, in the order of the model's outputs")
    sample_rate: int = option(44100, "sample rate of the prepared files in Hz", least=1)
    seq_dur: float = option(6.0, "length of a training segment in seconds", above=0)
    samples_per_track: int = option(64, "segments per track and epoch", least=1)
    random_track_mix: bool = option(True, "mix the sources of different tracks")
    source_augmentations: List[str] = option(
        ["gain", "channelswap"], f"any of: {', '.join(AUGMENTATIONS)}"
    )
    gain_min: float = option(0.25, "smallest random gain of a source", above=0)
    gain_max: float = option(1.25, "largest random gain of a source", above=0)
    cache: str = option(
        "none",
        "none, or memory: keep the decoded training tracks in memory",
        affects_result=False,
    )
    num_workers: int = option(4, "processes that load examples", affects_result=False, least=0)
    seed: int = option(
        42, "seed of the weights, the data order and the augmentations", least=0, most=2**32 - 1
    )

    def __post_init__(self):
        check_one_of("dataset", self.dataset, DATASETS)
        check_one_of("cache", self.cache, ("none", "memory"))
        for name in self.source_augmentations:
            check_one_of("source_augmentations", name, AUGMENTATIONS)
        if not self.sources or len(set(self.sources)) != len(self.sources):
            raise ConfigError(f"sources wants different names, got {self.sources}.")
        if self.gain_min > self.gain_max:
            raise ConfigError(
                f"gain_min must be at most gain_max, got {self.gain_min} and {self.gain_max}."
            )
        if self.seq_dur * self.sample_rate < 1:
            raise ConfigError(f"seq_dur must be at least one sample long, got {self.seq_dur} s.")
        if self.root_weights is not None and len(self.root_weights) != len(self.roots):
            raise ConfigError(
                f"Expected one root weight for each of the {len(self.roots)} folders "
                f"of train_dir, got {len(self.root_weights)}."
            )

    @property
    def roots(self) -> List[Path]:
        """Prepared folders to train on, the data set of stage 0 first."""
        return [Path(root) for root in self.train_dir or [f"data/{self.dataset}"]]

    @property
    def test_root(self) -> Path:
        """Prepared folder to evaluate on."""
        return Path(self.test_dir) if self.test_dir else self.roots[0]


@dataclass
class LossConfig:
    """The multi-domain loss (MDL) and the combination loss (CL) of the X-scheme."""

    loss: str = option("MultiDomainLoss", f"one of {', '.join(LOSSES)}")
    loss_use_multidomain: bool = option(True, "MDL: add the loss of the waveforms")
    loss_combine_sources: bool = option(True, "CL: average over all sums of sources")
    mix_coef: float = option(
        10.0, "weight of the waveforms' loss in MDL (alpha in the paper)", least=0
    )

    def __post_init__(self):
        check_one_of("loss", self.loss, LOSSES)

    @property
    def uses_spectrograms(self) -> bool:
        """Whether the loss looks at the model's spectrograms."""
        return self.loss != "WaveformL1Loss"

    @property
    def uses_waveforms(self) -> bool:
        """Whether the loss looks at the model's time signals."""
        return self.loss_use_multidomain or not self.uses_spectrograms


@dataclass
class OptimConfig:
    """Optimizer and learning rate."""

    optimizer: str = option("adam", "name of an optimizer known to asteroid.engine.optimizers")
    lr: float = option(1e-3, "initial learning rate", above=0)
    weight_decay: float = option(1e-5, "weight decay", least=0)
    scheduler: str = option("plateau", "plateau, steps or constant")
    lr_decay_gamma: float = option(0.3, "factor by which the learning rate falls", above=0, below=1)
    lr_decay_patience: int = option(
        80, "plateau: epochs without progress before the rate falls", least=0
    )
    lr_decay_cooldown: int = option(10, "plateau: epochs to wait after the rate fell", least=0)
    lr_decay_epochs: List[int] = option([40], "steps: epochs after which the rate falls", least=1)
    patience: int = option(1000, "epochs without progress after which training stops", least=1)

    def __post_init__(self):
        check_one_of("scheduler", self.scheduler, ("plateau", "steps", "constant"))


@dataclass
class TrainingConfig:
    """Length, machine and safety of a training run."""

    epochs: int = option(1000, "epochs", least=1)
    batch_size: int = option(14, "segments per step and device", least=1)
    val_dur: Optional[float] = option(
        80.0,
        "longest chunk of a validation track in seconds (none: a training segment)",
        above=0,
    )
    accelerator: str = option(
        "auto", "auto, cpu, gpu, or another accelerator of Lightning", affects_result=False
    )
    devices: str = option(
        "auto",
        "number of devices on this node, indices such as 0,1, or auto",
        affects_result=False,
    )
    num_nodes: int = option(
        1, "number of nodes, under torchrun or SLURM", affects_result=False, least=1
    )
    strategy: str = option(
        "auto", "auto: no process group on one device, DDP on several", affects_result=False
    )
    precision: str = option("32-true", f"one of {', '.join(PRECISIONS)}")
    gradient_clipping: Optional[float] = option(
        None, "largest norm of the gradient (none: no clipping)", above=0
    )
    accumulate_grad_batches: int = option(
        1, "batches whose gradients are added up for one step", least=1
    )
    sync_batchnorm: bool = option(False, "share the statistics of BatchNorm between devices")
    ema_decay: Optional[float] = option(
        None,
        "decay per step of averaged weights, which are validated and saved (none: no averaging)",
        above=0,
        below=1,
    )
    save_top_k: int = option(
        5, "how many of the best checkpoints to keep, -1 for all", affects_result=False, least=-1
    )
    resume: str = option(
        "auto",
        "auto: continue a stopped run; none: start anew; or the path of a checkpoint",
        affects_result=False,
    )
    pretrained: Optional[str] = option(
        None,
        "fine-tune from a name, URL or file that from_pretrained reads",
        affects_result=False,
    )

    def __post_init__(self):
        check_one_of("precision", self.precision, PRECISIONS)
        if self.save_top_k == 0:
            raise ConfigError(
                "save_top_k must be at least 1, or -1 for all: the best is the model."
            )
        if not _DEVICES.fullmatch(self.devices):
            raise ConfigError(
                "devices must be auto, a number of devices above 0, or their indices as 0,1; got "
                f"{self.devices!r}."
            )

    @property
    def n_processes(self) -> Optional[int]:
        """How many processes train together; None where that is the machine's choice (auto)."""
        if self.devices == "auto":
            return None
        indices = [index for index in self.devices.split(",") if index]
        n_devices = len(indices) if "," in self.devices else int(self.devices)
        return n_devices * self.num_nodes


@dataclass
class SeparationConfig:
    """How whole songs are separated; the names are those of open-unmix and demucs."""

    segment: Optional[float] = option(
        None, "seconds of a chunk (none: the model's choice)", above=0
    )
    overlap: Optional[float] = option(
        None, "share of a chunk that overlaps the next (none: the model's choice)", least=0, below=1
    )
    flip_channels: bool = option(False, "average over both orders of the channels; twice the work")
    wiener: str = option("em", "Wiener filter: em, or one_pass as in D3Net's official code")
    niter: int = option(
        1, "iterations of the em filter; 0 leaves the estimates as they are", least=0
    )
    wiener_win_len: int = option(
        300, "frames that the Wiener filter takes at a time; 0 for the whole song", least=0
    )
    softmask: bool = option(False, "start the Wiener filter from a ratio mask")

    def __post_init__(self):
        check_one_of("wiener", self.wiener, WIENER_METHODS)

    def separator_options(self) -> Dict[str, Any]:
        """Keyword arguments of `Separator`."""
        return {
            "chunk_seconds": self.segment,
            "overlap": self.overlap,
            "flip_channels": self.flip_channels,
            "wiener": self.wiener,
            "wiener_iterations": self.niter,
            "wiener_window": self.wiener_win_len or None,
            "softmask": self.softmask,
        }


@dataclass
class EvaluationConfig:
    """How estimates are scored."""

    bss_eval: str = option("museval", "museval, or fast: the same figures sooner")
    metrics: List[str] = option(["bsseval"], f"of {', '.join(METRICS)}")
    targets: Optional[List[str]] = option(
        None, "sources to score; accompaniment is all but vocals (none: all sources)"
    )
    eval_model: Optional[str] = option(
        None, "weights to score instead of the run's: a name, file, URL or id"
    )
    eval_jobs: int = option(2, "scoring processes", affects_result=False, least=1)
    eval_device: str = option(
        "auto", "device to separate on: auto, cpu, cuda, cuda:1, ...", affects_result=False
    )
    baselines: bool = option(
        True, "also score the mixture, a static filter and the oracle", affects_result=False
    )
    save_estimates: bool = option(
        True, "keep the separated sources of every test track", affects_result=False
    )

    def __post_init__(self):
        check_one_of("bss_eval", self.bss_eval, ("museval", "fast"))
        for metric in self.metrics:
            check_one_of("metrics", metric, METRICS)


GROUPS: Mapping[str, type] = {
    "data": DataConfig,
    "loss": LossConfig,
    "optim": OptimConfig,
    "training": TrainingConfig,
    "separation": SeparationConfig,
    "evaluation": EvaluationConfig,
}

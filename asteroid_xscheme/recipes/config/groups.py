"""The options that all models share, in groups; the group for training is in `training`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from ...dsp.wiener import WIENER_METHODS
from .options import ConfigError, check_one_of, option
from .training import TrainingConfig

SOURCES = ["bass", "drums", "vocals", "other"]
DATASETS = ("musdb18", "musdb18hq", "demo", "folder")
AUGMENTATIONS = ("gain", "channelswap", "polarity", "speed")
METRICS = ("bsseval", "usdr", "si_sdr")
LOSSES = ("MultiDomainLoss", "WaveformL1Loss")


@dataclass
class DataConfig:
    """Where the songs are and how to make training examples from them."""

    dataset: str = option("musdb18", f"data set that stage 0 prepares: {', '.join(DATASETS)}")
    source_dir: Optional[str] = option(
        None,
        "your copy of the data set, a folder or zip (none: download it)",
        affects_result=False,
    )
    train_dir: Optional[List[str]] = option(
        None,
        "prepared folders to train on, with train/TRACK/SOURCE.wav (none: data/DATASET)",
        affects_result=False,
    )
    test_dir: Optional[str] = option(
        None,
        "prepared folder to evaluate on (none: the first in train_dir)",
        affects_result=False,
    )
    root_weights: Optional[List[float]] = option(
        None,
        "how often to draw from each folder of train_dir (none: by its number of tracks)",
        above=0,
    )
    source_map: Dict[str, Dict[str, Optional[str]]] = option(
        {},
        "by folder, for each file name: the source it is, or null to leave it out (only in "
        "conf.yml)",
        affects_result=False,
    )
    valid_tracks: Optional[List[str]] = option(
        None, "tracks in train/ to validate on (none: the official 14 of MUSDB18)"
    )
    demo_songs: int = option(
        24,
        "songs that --dataset demo renders to train on",
        affects_result=False,
        least=1,
        most=576,
    )
    sources: List[str] = option(SOURCES, "sources to separate, in the order of the model's outputs")
    sample_rate: int = option(44100, "sample rate of the prepared files in Hz", least=1)
    seq_dur: float = option(6.0, "length of a training segment in seconds", above=0)
    samples_per_track: int = option(64, "segments per track in each epoch", least=1)
    random_track_mix: bool = option(True, "mix sources of different tracks")
    source_augmentations: List[str] = option(
        ["gain", "channelswap"], f"augmentations of each source, any of: {', '.join(AUGMENTATIONS)}"
    )
    gain_min: float = option(0.25, "smallest random gain of a source, a factor", above=0)
    gain_max: float = option(1.25, "largest random gain of a source, a factor", above=0)
    cache: str = option(
        "none",
        "memory: keep the decoded training tracks in memory; none: read them from disk each time",
        affects_result=False,
    )
    num_workers: int = option(
        4,
        "threads that load training examples; 0: loads each batch when it is needed",
        affects_result=False,
        least=0,
    )
    seed: int = option(
        42, "seed for the weights, the data order and the augmentations", least=0, most=2**32 - 1
    )

    def __post_init__(self):
        check_one_of("dataset", self.dataset, DATASETS)
        check_one_of("cache", self.cache, ("none", "memory"))
        for name in self.source_augmentations:
            check_one_of("source_augmentations", name, AUGMENTATIONS)
        if not self.sources or len(set(self.sources)) != len(self.sources):
            raise ConfigError(
                f"sources must be one or more names, each once; got {' '.join(self.sources)!r}."
            )
        if self.gain_min > self.gain_max:
            raise ConfigError(
                f"gain_min must be at most gain_max, got {self.gain_min} and {self.gain_max}."
            )
        if "speed" in self.source_augmentations and not self.random_track_mix:
            raise ConfigError(
                "The augmentation speed changes each source alone: leave it out of "
                "source_augmentations, or set random_track_mix to yes."
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
        """Prepared folders to train on; stage 0 prepares the first."""
        return [Path(root) for root in self.train_dir or [f"data/{self.dataset}"]]

    @property
    def test_root(self) -> Path:
        """Prepared folder to evaluate on."""
        return Path(self.test_dir) if self.test_dir else self.roots[0]


@dataclass
class LossConfig:
    """Loss: multi-domain loss (MDL) and combination loss (CL) of the X-scheme."""

    loss: str = option("MultiDomainLoss", f"loss function, one of: {', '.join(LOSSES)}")
    loss_use_multidomain: bool = option(True, "MDL: add a loss of the waveforms")
    loss_combine_sources: bool = option(
        True, "CL: average the loss over all sums of sources, not the sources alone"
    )
    mix_coef: float = option(
        10.0, "weight of the waveform loss in MDL (alpha in the paper)", least=0
    )

    def __post_init__(self):
        check_one_of("loss", self.loss, LOSSES)

    @property
    def uses_spectrograms(self) -> bool:
        """Whether the loss uses the model's spectrograms."""
        return self.loss != "WaveformL1Loss"

    @property
    def uses_waveforms(self) -> bool:
        """Whether the loss uses the model's time signals."""
        return self.loss_use_multidomain or not self.uses_spectrograms


@dataclass
class OptimConfig:
    """Optimizer and learning rate."""

    optimizer: str = option("adam", "optimizer, by its name in asteroid.engine.optimizers")
    lr: float = option(1e-3, "initial learning rate", above=0)
    weight_decay: float = option(1e-5, "weight decay (L2 penalty)", least=0)
    scheduler: str = option("plateau", "learning rate schedule: plateau, steps or constant")
    lr_decay_gamma: float = option(
        0.3, "factor by which the learning rate is reduced", above=0, below=1
    )
    lr_decay_patience: int = option(
        80, "plateau: epochs without improvement before the rate is reduced", least=0
    )
    lr_decay_cooldown: int = option(
        10, "plateau: epochs to wait after the rate is reduced", least=0
    )
    lr_decay_epochs: List[int] = option(
        [40], "steps: epochs after which the rate is reduced", least=1
    )
    patience: int = option(
        1000, "stop training after this many epochs without improvement", least=1
    )

    def __post_init__(self):
        check_one_of("scheduler", self.scheduler, ("plateau", "steps", "constant"))


@dataclass
class SeparationConfig:
    """Separation of whole songs; options are named as in open-unmix and demucs."""

    segment: Optional[float] = option(
        None, "length of a chunk in seconds (none: the model's)", above=0
    )
    overlap: Optional[float] = option(
        None,
        "fraction of a chunk that overlaps the next, 0 to below 1 (none: the model's)",
        least=0,
        below=1,
    )
    flip_channels: bool = option(False, "average over both channel orders; doubles the time")
    wiener: str = option("em", "Wiener filter: em, or one_pass as in D3Net's official code")
    niter: int = option(1, "iterations of the em filter; 0 turns it off", least=0)
    wiener_win_len: int = option(
        300, "frames that the Wiener filter processes at a time; 0: the whole song", least=0
    )
    softmask: bool = option(False, "start the Wiener filter from ratio masks")

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
    """Scoring of the estimates."""

    bss_eval: str = option(
        "museval", "implementation of BSSEval: museval, or fast (the same scores in less time)"
    )
    metrics: List[str] = option(["bsseval"], f"metrics, any of: {', '.join(METRICS)}")
    targets: Optional[List[str]] = option(
        None,
        "sources to score; accompaniment is the sum of all but the vocals (none: all sources)",
    )
    eval_model: Optional[str] = option(
        None, "weights to score instead of the run's: a name, file, URL or Hugging Face id"
    )
    eval_jobs: int = option(
        2, "processes that score tracks at the same time", affects_result=False, least=1
    )
    eval_device: str = option(
        "auto",
        "device to separate on: auto (a GPU if there is one), cpu, cuda, cuda:1, ...",
        affects_result=False,
    )
    baselines: bool = option(
        True, "also score the mixture, a static filter and an oracle", affects_result=False
    )
    save_estimates: bool = option(
        True, "save the separated sources of every test track", affects_result=False
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

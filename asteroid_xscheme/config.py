"""A run's options, by group: what a recipe's `local/conf.yml` may say, each explained once.

`Config.from_dict` reads the two-level dictionary of a conf.yml (asteroid's form, option names
unique over all groups), `Config.parse` lets a command line override any of it, and
`Config.to_dict` writes it back. Values that contradict each other are refused here, before
anything is read or computed.
"""

import argparse
import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import yaml

from .options import ConfigError, add_arguments, from_dict, option

SOURCES = ["bass", "drums", "vocals", "other"]
DATASETS = ("musdb18", "musdb18hq", "demo", "folder")
AUGMENTATIONS = ("gain", "channelswap", "polarity")
LOSSES = ("MultiDomainLoss", "WaveformL1Loss")


@dataclass
class DataConfig:
    """Where the songs are and how training examples are made of them."""

    dataset: str = option("musdb18", f"what stage 0 prepares: {', '.join(DATASETS)}")
    source_dir: Optional[str] = option(
        None, "zip or folder that you have of the data set; none downloads it"
    )
    train_dir: Optional[List[str]] = option(
        None, "prepared folders to train on, each with train/TRACK/SOURCE.wav; none is data/DATASET"
    )
    test_dir: Optional[str] = option(
        None, "prepared folder to evaluate on; none is the first of train_dir"
    )
    root_weights: Optional[List[float]] = option(
        None, "how often each folder of train_dir is drawn from; none is by number of tracks"
    )
    source_map: Dict[str, Dict[str, Optional[str]]] = option(
        {}, "by folder name: their source -> ours, or null to leave it out (conf.yml only)"
    )
    valid_tracks: Optional[List[str]] = option(
        None, "tracks of train/ kept for validation; none is the official 14 of MUSDB18"
    )
    sources: List[str] = option(SOURCES, "sources to separate, in the order of the model's outputs")
    sample_rate: int = option(44100, "sample rate in Hz; prepared files have it")
    seq_dur: float = option(6.0, "length of a training segment in seconds")
    samples_per_track: int = option(64, "segments per track and epoch")
    random_track_mix: bool = option(True, "mix the sources of different tracks")
    source_augmentations: List[str] = option(
        ["gain", "channelswap"], f"of each source, out of: {', '.join(AUGMENTATIONS)}"
    )
    gain_min: float = option(0.25, "smallest random gain of a source")
    gain_max: float = option(1.25, "largest random gain of a source")
    cache: str = option("none", "none, or memory to keep the decoded training tracks in memory")
    num_workers: int = option(4, "processes that load examples")
    seed: int = option(42, "seed of the weights, the data order and the augmentations")

    def __post_init__(self):
        _one_of("dataset", self.dataset, DATASETS)
        _one_of("cache", self.cache, ("none", "memory"))
        for name in self.source_augmentations:
            _one_of("source_augmentations", name, AUGMENTATIONS)
        _positive(self, "sample_rate", "seq_dur", "samples_per_track")
        if not self.sources or len(set(self.sources)) != len(self.sources):
            raise ConfigError(f"sources wants different names, got {self.sources}.")
        if not 0 < self.gain_min <= self.gain_max:
            raise ConfigError(
                f"Expected 0 < gain_min <= gain_max, got {self.gain_min} and {self.gain_max}."
            )
        if self.root_weights is not None and len(self.root_weights) != len(self.roots):
            raise ConfigError(
                f"root_weights wants one weight for each of the {len(self.roots)} folders "
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
    mix_coef: float = option(10.0, "weight of the waveforms' loss in MDL (alpha in the paper)")

    def __post_init__(self):
        _one_of("loss", self.loss, LOSSES)

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
    lr: float = option(1e-3, "learning rate at the start")
    weight_decay: float = option(1e-5, "weight decay")
    scheduler: str = option("plateau", "plateau, steps or constant")
    lr_decay_gamma: float = option(0.3, "factor by which the learning rate falls")
    lr_decay_patience: int = option(80, "plateau: epochs without progress before it falls")
    lr_decay_cooldown: int = option(10, "plateau: epochs of rest after it fell")
    lr_decay_epochs: List[int] = option([40], "steps: epochs after which it falls")
    patience: int = option(1000, "epochs without progress after which training stops")

    def __post_init__(self):
        _one_of("scheduler", self.scheduler, ("plateau", "steps", "constant"))
        _positive(self, "lr", "lr_decay_gamma")


@dataclass
class TrainingConfig:
    """Length, machine and safety of a training run."""

    epochs: int = option(1000, "epochs")
    batch_size: int = option(14, "segments per step on each device")
    val_dur: float = option(80.0, "longest chunk of a validation track in seconds")
    accelerator: str = option("auto", "auto, cpu, gpu or another name that Lightning knows")
    devices: str = option("auto", "number of devices of this node, their indices as 0,1, or auto")
    num_nodes: int = option(1, "number of nodes, under torchrun or SLURM")
    strategy: str = option("auto", "auto: one device without process group, several with DDP")
    precision: str = option("32-true", "32-true, bf16-mixed or 16-mixed")
    gradient_clipping: Optional[float] = option(None, "largest norm of the gradient, or none")
    accumulate_grad_batches: int = option(1, "batches whose gradients are added for a step")
    sync_batchnorm: bool = option(False, "share the statistics of BatchNorm between devices")
    ema_decay: Optional[float] = option(
        None, "decay per step of the averaged weights that are validated and saved, or none"
    )
    save_top_k: int = option(5, "best checkpoints kept")
    resume: str = option("auto", "auto continues a stopped run, none starts anew, or a checkpoint")
    pretrained: Optional[str] = option(
        None, "fine-tune from a name, URL or file that from_pretrained reads"
    )

    def __post_init__(self):
        _positive(self, "epochs", "batch_size", "val_dur", "num_nodes", "accumulate_grad_batches")
        if self.ema_decay is not None and not 0 < self.ema_decay < 1:
            raise ConfigError(f"ema_decay wants a number between 0 and 1, got {self.ema_decay}.")


@dataclass
class SeparationConfig:
    """How whole songs are separated; the names are those of open-unmix and demucs."""

    segment: Optional[float] = option(None, "seconds of a chunk; none is the model's own choice")
    overlap: Optional[float] = option(
        None, "share of a chunk that overlaps the next; none as above"
    )
    niter: int = option(1, "iterations of the Wiener filter; 0 keeps the estimates")
    wiener_win_len: int = option(300, "frames that the Wiener filter takes together")
    softmask: bool = option(False, "begin the Wiener filter with a ratio mask")

    def __post_init__(self):
        if self.niter < 0:
            raise ConfigError(f"niter wants 0 or more, got {self.niter}.")


@dataclass
class EvaluationConfig:
    """How estimates are scored."""

    bss_eval: str = option("museval", "museval, or fast for the same figures sooner")
    eval_jobs: int = option(2, "processes that score tracks")
    eval_device: str = option("auto", "device that separates: auto, cpu, cuda, cuda:1, ...")
    baselines: bool = option(True, "score the mixture, a static filter and the oracle as well")
    save_estimates: bool = option(True, "write the separated sources of every test track")

    def __post_init__(self):
        _one_of("bss_eval", self.bss_eval, ("museval", "fast"))
        _positive(self, "eval_jobs")


@dataclass
class XUMXConfig:
    """X-UMX: one Open-Unmix per source, bridged."""

    bridge: bool | List[str] = option(True, "yes, no, or names of bridging points")
    window_length: int = option(4096, "window of the STFT in samples")
    in_chan: int = option(4096, "size of the STFT in samples")
    nhop: int = option(1024, "hop of the STFT in samples")
    hidden_size: int = option(512, "features of the encoders and the BLSTMs")
    nb_layers: int = option(3, "layers of each BLSTM")
    bidirectional: bool = option(True, "BLSTM, or LSTM")
    bandwidth: int = option(16000, "highest frequency in Hz that the networks read")
    nb_channels: int = option(2, "1 for mono, 2 for stereo, or more")
    spec_power: float = option(1, "exponent of the spectrograms")

    def model_args(self, sample_rate: int) -> Dict[str, Any]:
        """Arguments of `XUMX` but for its sources and input statistics."""
        args = dataclasses.asdict(self)
        args["n_hop"] = args.pop("nhop")
        args["max_bin"] = max_bin(args.pop("bandwidth"), self.in_chan, sample_rate)
        return args


def max_bin(bandwidth: float, n_fft: int, sample_rate: float) -> int:
    """Number of STFT bins from 0 Hz up to `bandwidth`, all of them where it exceeds sample_rate / 2.

    >>> max_bin(16000, 4096, 44100)
    1487
    """
    return min(int(bandwidth * n_fft / sample_rate), n_fft // 2) + 1


ARCHITECTURES: Mapping[str, type] = {"XUMX": XUMXConfig}

GROUPS: Mapping[str, type] = {
    "data": DataConfig,
    "loss": LossConfig,
    "optim": OptimConfig,
    "training": TrainingConfig,
    "separation": SeparationConfig,
    "evaluation": EvaluationConfig,
}


@dataclass
class Config:
    """All options of a run.

    `architecture` names the model's class; `model` holds that architecture's own options.
    """

    architecture: str = "XUMX"
    model: Any = field(default_factory=XUMXConfig)
    data: DataConfig = field(default_factory=DataConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    separation: SeparationConfig = field(default_factory=SeparationConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)

    @classmethod
    def from_dict(cls, groups: Mapping[str, Mapping[str, Any]]) -> "Config":
        """Options from the two-level dictionary of a conf.yml; what is absent is the default."""
        unknown = set(groups) - {"model", *GROUPS}
        if unknown:
            raise ConfigError(
                f"conf.yml has no group {sorted(unknown)}; it has: model, {', '.join(GROUPS)}."
            )
        model = dict(groups.get("model") or {})
        architecture = model.pop("architecture", "XUMX")
        _one_of("architecture", architecture, ARCHITECTURES)
        return cls(
            architecture=architecture,
            model=from_dict(ARCHITECTURES[architecture], model, f"model ({architecture})"),
            **{name: from_dict(g, groups.get(name) or {}, name) for name, g in GROUPS.items()},
        )

    @classmethod
    def from_yaml(cls, path: Path) -> "Config":
        """Options from a conf.yml.

        Raises:
            ConfigError: If the file is missing or says what no option can mean.
        """
        if not Path(path).is_file():
            raise ConfigError(f"There is no configuration file {path}.")
        return cls.from_dict(_load_yaml(Path(path)))

    @classmethod
    def parse(
        cls, conf_path: Path, parser: argparse.ArgumentParser, argv: Optional[Sequence[str]] = None
    ) -> Tuple["Config", argparse.Namespace]:
        """Options of a conf.yml, overridden by a command line.

        Args:
            conf_path: The conf.yml with the defaults.
            parser: Parser of a script's own arguments; every option is added to it.
            argv: The command line, by default the process's.

        Returns:
            The options, and the values of the script's own arguments.
        """
        base = cls.from_yaml(conf_path)
        add_arguments(parser, type(base.model), f"model ({base.architecture})")
        for name, group in GROUPS.items():
            add_arguments(parser, group, name)
        given = parser.parse_args(argv)
        try:
            return cls.from_dict(_override(base.to_dict(), vars(given))), given
        except ConfigError as error:
            parser.error(str(error))

    def to_dict(self) -> Dict[str, Dict[str, Any]]:
        """The two-level dictionary that `from_dict` reads."""
        groups = {name: dataclasses.asdict(getattr(self, name)) for name in ("model", *GROUPS)}
        groups["model"] = {"architecture": self.architecture, **groups["model"]}
        return groups

    def to_yaml(self) -> str:
        """The text of a conf.yml in which each option is explained."""
        lines = []
        for title, options in self.to_dict().items():
            group = GROUPS.get(title, type(self.model))
            lines += [f"# {_first_line(group)}", f"{title}:"]
            if title == "model":
                lines += _explained(
                    "architecture", options.pop("architecture"), "the model's class"
                )
            for field in dataclasses.fields(group):
                lines += _explained(field.name, options[field.name], field.metadata["help"])
        return "\n".join(lines) + "\n"


def _first_line(group: type) -> str:
    return group.__doc__.strip().splitlines()[0]


def _explained(name: str, value: Any, explanation: str) -> List[str]:
    """An option in YAML under a comment that explains it."""
    text = yaml.safe_dump({name: value}, sort_keys=False, width=90).rstrip().splitlines()
    return [f"  # {explanation}", *(f"  {line}" for line in text)]


def _load_yaml(path: Path) -> Mapping[str, Mapping[str, Any]]:
    try:
        groups = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from None
    if not isinstance(groups, Mapping) or not all(
        isinstance(group, Mapping) or group is None for group in groups.values()
    ):
        raise ConfigError(f"{path} should hold groups of options, as `optim:` with `lr: 0.001`.")
    return groups


def _override(groups: Dict[str, Dict[str, Any]], given: Mapping[str, Any]) -> Dict[str, Any]:
    """Groups of options in which each value that a command line gave replaces the file's."""
    return {
        title: {name: given.get(name, value) for name, value in group.items()}
        for title, group in groups.items()
    }


def _one_of(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ConfigError(f"{name} is one of {', '.join(known)}, not {value!r}.")


def _positive(group: Any, *names: str) -> None:
    for name in names:
        if not getattr(group, name) > 0:
            raise ConfigError(f"{name} wants a number above 0, got {getattr(group, name)}.")

"""What all bridged models share: sources, bridges, waveforms in and out, asteroid's interface.

`BridgedModel` is any set of per-source networks. A model defines how it is used: `inference`
describes how to separate songs with it, and `domain` what its networks estimate. Training calls
`compute_for_loss`, `fit_segments` and `start_normalisation`; override those that matter to your
model.
"""

from abc import abstractmethod
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Callable, ClassVar, List, Optional, Sequence, Tuple, Type, Union

import asteroid.models
import numpy as np
import torch
from asteroid.models import BaseModel
from asteroid.utils.torch_utils import get_device

from ..bridge import BridgeChoice, Bridges
from ..weights import CheckpointError, load_package
from .building import build_model
from .checks import check_sizes
from .inference import Inference, Map

Statistics = Tuple[np.ndarray, np.ndarray]  # mean and standard deviation of each bin
Outputs = Tuple[Optional[torch.Tensor], Optional[torch.Tensor]]  # spectrograms, time signals


class BridgedModel(BaseModel):
    """Abstract set of J networks, one per source, that share features at bridging points.

    Args:
        sources: Names of the J >= 1 sources, all different; any non-empty string is a name.
        sample_rate: Rate of the model's waveforms in Hz.
        nb_channels: Number of channels C of its waveforms.
        bridge: True for the architecture's default points, False for independent networks, or
            names from `bridge_points`.

    Subclasses implement `forward`, `forward_wav` and `get_model_args`.

    Attributes:
        title: Name of the architecture for people (default: the name of its class).
        domain: What the networks read and return: "waveform" or "spectrogram".
        window, n_fft, hop: STFT of the spectrograms that `forward` returns, in samples.
        spec_power: Exponent p of these spectrograms |X|^p.
    """

    title: ClassVar[str] = ""
    domain: ClassVar[str] = "waveform"
    bridge_points: Tuple[str, ...] = ()
    default_bridge_points: Tuple[str, ...] = ()
    window: torch.Tensor
    n_fft: int
    hop: int
    spec_power: float = 1

    def __init__(
        self, sources: Sequence[str], sample_rate: float, nb_channels: int, bridge: BridgeChoice
    ):
        _check_rate(sample_rate)
        check_sizes(nb_channels=nb_channels)
        super().__init__(sample_rate, in_channels=nb_channels)
        self.sources = _check_sources(sources)
        self.nb_channels = nb_channels
        self.bridge = bridge
        self.bridges = Bridges(bridge, self.bridge_points, self.default_bridge_points)

    @abstractmethod
    def forward(self, wav: torch.Tensor) -> Outputs:
        """Spectrograms (J, N, B, C, F) and time signals (J, B, C, T') of a mixture (B, C, T).

        Either is None where a model was told that nobody looks at it.
        """

    @abstractmethod
    def forward_wav(self, wav: torch.Tensor) -> torch.Tensor:
        """Waveforms of the sources.

        Args:
            wav: The mixture, (B, C, T), (B, T) or (T,).

        Returns:
            (B, J, C, T), always as long as the input.

        Raises:
            ValueError: If it has more dimensions, or other channels than the model's or one.
        """

    @property
    def inference(self) -> Inference:
        """How to separate songs; by default in chunks of 8 s that overlap by a quarter, unfiltered.

        Waveform estimates have their own phases, which a Wiener filter would replace by those of
        the mixture.
        """
        return Inference(
            steps_per_second=self.sample_rate,
            bytes_per_step=len(self.sources) * self.nb_channels * _BYTES_PER_SAMPLE,
            chunk_seconds=8.0,
            overlap=0.25,
        )

    def fold(self, run_each: Map = map) -> "BridgedModel":
        """A copy for inference: in eval mode, and as fast as the architecture allows.

        Its outputs equal those of this model in eval mode, up to rounding.

        Args:
            run_each: Calls networks that do not depend on each other: `map`, which calls one after
                another, or a similar function that runs several at once.
        """
        return deepcopy(self).eval()

    def compute_for_loss(self, spectrograms: bool, waveforms: bool) -> None:
        """Tell `forward` which outputs a loss uses, so that it can skip the others."""

    def fit_segments(self, n_samples: int) -> None:
        """Receive the length of the training segments, which some networks depend on."""

    def start_normalisation(self, measure: Callable[[], Statistics]) -> None:
        """Initialise the normalisation of the input, in a model that has one.

        Args:
            measure: Mean and standard deviation over the training mixtures of the magnitudes |X|^p
                in each of the n_fft // 2 + 1 bins; slow, so call it only if needed.
        """

    def weights_by_source(self) -> dict[Optional[str], dict[str, torch.Tensor]]:
        """The tensors of the state dict but for windows, by the source whose network they are in.

        Returns:
            By source, its network's tensors by their names in it; under None those that belong to
            no single source: here all. They are the model's own: writing to them changes it.
        """
        return {None: self.state_dict()}

    def get_model_args(self) -> dict:
        """Arguments that rebuild the model; `bridge` only if it is not the default."""
        args = {
            "sources": list(self.sources),
            "sample_rate": self.sample_rate,
            "nb_channels": self.nb_channels,
        }
        if self.bridges.open != self.default_bridge_points:
            args["bridge"] = list(self.bridges.open) or False
        return args

    def serialize(self) -> dict:
        """asteroid's package of the model, in plain types that `weights_only=True` can read."""
        package = super().serialize()
        versions = package["infos"]["software_versions"]
        versions.update({name: str(version) for name, version in versions.items()})
        args = package["model_args"]
        args.update({name: _as_plain_number(value) for name, value in args.items()})
        return package

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_conf_or_path: Union[str, Path, dict],
        *args,
        offline: bool = False,
        **kwargs,
    ) -> "BridgedModel":
        """Load a model from a path, a URL, a published name, or a package as a dict.

        Args:
            pretrained_model_conf_or_path: As `load_package` takes it; nothing in it is executed,
                and a dict is left as it is.
            *args: Positional arguments of the model.
            offline: Use only files that are already on this machine.
            **kwargs: Arguments of the model that replace those in the package.

        Returns:
            A model of the class that the package names, or of this class if it is a subclass of
            that one.

        Raises:
            CheckpointError: If the package cannot be found, is not one, is not of a bridged model,
                or its arguments or weights do not fit its model.
        """
        package = load_package(pretrained_model_conf_or_path, offline=offline)
        in_memory = isinstance(pretrained_model_conf_or_path, Mapping)
        origin = "the package" if in_memory else str(pretrained_model_conf_or_path)
        model_class = cls._class_named(package["model_name"], origin)
        arguments = {**package["model_args"], **kwargs}
        return build_model(model_class, args, arguments, package["state_dict"], origin)

    @classmethod
    def _class_named(cls, model_name: str, origin: str) -> Type["BridgedModel"]:
        if model_name == cls.__name__:
            return cls
        from .architectures import ARCHITECTURES  # which are made of this class

        known = {**vars(asteroid.models), **ARCHITECTURES}  # asteroid may have its own of a name
        names = {name.lower(): value for name, value in known.items()}
        named = names.get(model_name.lower())  # asteroid's rule
        if not isinstance(named, type) or not issubclass(named, BridgedModel):
            raise CheckpointError(
                f"{origin} holds a model {model_name!r:.60}, which is not a known bridged model. "
                "Expected XUMX, XD3Net, XConvTasNet or a class registered with asteroid; load "
                "asteroid's own models with asteroid.models.BaseModel.from_pretrained."
            )
        return cls if issubclass(cls, named) else named

    @torch.no_grad()
    def torch_separate(self, wav: torch.Tensor) -> torch.Tensor:
        """Sources of a waveform at their level in the mixture, on the input's device.

        The networks run on the whole waveform at once and always in eval mode. asteroid's own
        function scales all sources so that their absolute values add up to the mixture's, which
        is wrong for overlapping sources.

        Args:
            wav: (C, T) or (..., C, T), of the model's channels C.

        Returns:
            (J, C, T) or (..., J, C, T), one more axis for the sources.

        Raises:
            RuntimeError: If it has no axis of channels, or others than the model's.
        """
        if wav.shape[-2:-1] != (self.nb_channels,):
            raise RuntimeError(
                f"Expected a mixture of shape (batch, {self.nb_channels}, time) or "
                f"({self.nb_channels}, time), got {tuple(wav.shape)}."
            )
        batch = wav.reshape(-1, *wav.shape[-2:]).to(get_device(self, default="cpu"))
        estimates = self.fold().forward_wav(batch).to(wav.device)
        return estimates.reshape(*wav.shape[:-2], *estimates.shape[1:])

    def numpy_separate(self, wav: np.ndarray) -> np.ndarray:
        """The same as :meth:`torch_separate`, array (..., C, T) to array (..., J, C, T)."""
        return self.torch_separate(torch.from_numpy(wav)).numpy()

    def separate(self, wav: Union[torch.Tensor, np.ndarray, str, Path], **file_options):
        """Sources of a tensor or array (..., C, T) -> (..., J, C, T), or of an audio file.

        Args:
            wav: Tensor, array, or path. The stems of a file are written next to it.
            **file_options: `output_dir`, `force_overwrite`, `resample`, as in asteroid.
        """
        if isinstance(wav, torch.Tensor):
            return self.torch_separate(wav)
        if isinstance(wav, np.ndarray):
            return self.numpy_separate(wav)
        return self.file_separate(str(wav), **file_options)


_BYTES_PER_SAMPLE = 800  # of an estimated waveform: the features of its encoder
_LARGEST_RATE = 1_000_000  # Hz; the fastest audio converters take 768 kHz


def as_batch(wav: torch.Tensor, n_channels: int) -> torch.Tensor:
    """Bring a waveform (T,), (B, T) or (B, C, T) to (B, C, T) for a model with `n_channels`.

    One- and two-dimensional waveforms have one channel, as in asteroid's models. One channel is
    repeated for all channels of a model; a mono model takes any number of channels.
    """
    if not 1 <= wav.ndim <= 3:
        raise ValueError(f"Expected a 1-D, 2-D or 3-D waveform, time last, got {tuple(wav.shape)}.")
    batch = wav.reshape(-1, 1, wav.shape[-1]) if wav.ndim < 3 else wav
    if batch.shape[1] == 1:
        return batch.expand(-1, n_channels, -1)
    if n_channels not in (1, batch.shape[1]):
        raise ValueError(
            f"Expected a waveform with {n_channels} channel(s) or with one, got {tuple(wav.shape)}."
        )
    return batch


def _as_plain_number(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _check_rate(sample_rate: float) -> None:
    number = isinstance(sample_rate, (int, float, np.number)) and not isinstance(sample_rate, bool)
    if not number or not 1 <= sample_rate <= _LARGEST_RATE:
        raise ValueError(
            f"Expected sample_rate as a number from 1 to {_LARGEST_RATE} Hz, got {sample_rate!r}."
        )


def _check_sources(sources: Sequence[str]) -> List[str]:
    names = [sources] if isinstance(sources, str) else list(sources)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"Expected the names of one or more sources, got {sources!r}.")
    if len(set(names)) != len(names):
        raise ValueError(f"Expected sources with different names, got {names}.")
    return names

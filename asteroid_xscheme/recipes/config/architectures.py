"""The options of each model, and how they become the arguments of its class.

Names are those of asteroid's X-UMX recipe where it has one, else those of asteroid's layers. The
options of a model of your own are the arguments of its class.
"""

import dataclasses
import inspect
import typing
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Type

from ...errors import XSchemeError
from ...models import BridgedModel, find_model, import_network
from ...models.conv_tasnet_config import ConvTasNetConfig
from .options import ConfigError, check_one_of, option

_FROM_DATA = ("sources", "sample_rate")  # arguments that are options of the data


class ModelOptions:
    """What the options of every model answer."""

    def model_class(self, architecture: str) -> Type[BridgedModel]:
        """The class that they describe."""
        return find_model(architecture)

    def title(self, architecture: str) -> str:
        """What people call the model."""
        model_class = self.model_class(architecture)
        return model_class.title or model_class.__name__


@dataclass
class XUMXConfig(ModelOptions):
    """X-UMX: one Open-Unmix per source, bridged."""

    bridge: bool | List[str] = option(True, "yes, no, or names of bridging points")
    window_length: int = option(4096, "window of the STFT in samples", least=1)
    in_chan: int = option(4096, "size of the STFT in samples", least=1)
    nhop: int = option(1024, "hop of the STFT in samples", least=1)
    hidden_size: int = option(512, "features of the encoders and the BLSTMs", least=1)
    nb_layers: int = option(3, "layers of each BLSTM", least=1)
    bidirectional: bool = option(True, "BLSTM, or LSTM")
    bandwidth: int = option(16000, "highest frequency in Hz that the networks read", above=0)
    nb_channels: int = option(2, "1 for mono, 2 for stereo, or more", least=1)
    spec_power: float = option(1.0, "exponent of the spectrograms", above=0)

    def model_args(self, sample_rate: int) -> Dict[str, Any]:
        """Arguments of `XUMX` but for its sources and input statistics."""
        args = dataclasses.asdict(self)
        args["n_hop"] = args.pop("nhop")
        args["max_bin"] = max_bin(args.pop("bandwidth"), self.in_chan, sample_rate)
        return args


@dataclass
class XD3NetConfig(ModelOptions):
    """X-D3Net: one D3Net per source, bridged."""

    bridge: bool | List[str] = option(True, "yes, no, or names of bridging points")
    network: str | List[str] | Dict[str, Any] = option(
        "vocals", "vocals, bass, drums, other or small, one name per source, or a mapping"
    )
    window_length: int = option(4096, "window of the STFT in samples", least=1)
    in_chan: int = option(4096, "size of the STFT in samples", least=1)
    nhop: int = option(1024, "hop of the STFT in samples", least=1)
    nb_channels: int = option(2, "1 for mono, 2 for stereo, or more", least=1)
    above_valid: str = option(
        "share", "bins above the networks' band: share of the mixture, or the whole mixture"
    )
    recompute: bool = option(
        False, "compute blocks twice in training, to save memory", affects_result=False
    )

    @property
    def spec_power(self) -> float:
        """D3Net works on magnitudes."""
        return 1

    def model_args(self, sample_rate: int) -> Dict[str, Any]:
        """Arguments of `XD3Net` but for its sources and input statistics."""
        args = dataclasses.asdict(self)
        args["n_hop"] = args.pop("nhop")
        return args


@dataclass(frozen=True)
class _Networks(ModelOptions):
    """How the networks of an X-Conv-TasNet are joined: the first of its options."""

    bridge: bool | List[str] = option(True, "yes, no, or names of bridging points")
    joint: bool = option(False, "one network of J masks, the original of the papers")


@dataclass(frozen=True)
class XConvTasNetConfig(ConvTasNetConfig, _Networks):
    """X-Conv-TasNet: one Conv-TasNet per source, bridged."""

    checkpointing: bool = option(
        False, "compute repeats twice in training, to save memory", affects_result=False
    )
    window_length: int = option(4096, "window of the loss's STFT in samples", least=1)
    in_chan: int = option(4096, "size of the loss's STFT in samples", least=1)
    nhop: int = option(1024, "hop of the loss's STFT in samples", least=1)
    spec_power: float = option(1.0, "exponent of the loss's spectrograms", above=0)
    nb_channels: int = option(2, "1 for mono, 2 for stereo, or more", least=1)

    def model_args(self, sample_rate: int) -> Dict[str, Any]:
        """Arguments of `XConvTasNet` but for its sources."""
        args = dataclasses.asdict(self)
        args["n_hop"] = args.pop("nhop")
        return args


@dataclass
class XSchemeConfig(ModelOptions):
    """The X-scheme around any network: one of them per source, bridged at named submodules."""

    network: Optional[str] = option(None, "class of the networks, module:Class; it is imported")
    network_args: Dict[str, Any] = option({}, "arguments of that class for one source")
    points: List[str] = option([], "bridging points, submodule or submodule:output")
    domain: str = option("waveform", "what the networks map to their like: waveform or magnitude")
    adapter: Optional[str] = option(
        None, "function of (networks, mixture) -> estimates, module:function; none calls them"
    )
    bridge: bool | List[str] = option(True, "yes, no, or some of the points")
    window_length: int = option(4096, "window of the STFT in samples")
    in_chan: int = option(4096, "size of the STFT in samples")
    nhop: int = option(1024, "hop of the STFT in samples")
    spec_power: float = option(1.0, "exponent of the spectrograms")
    nb_channels: int = option(2, "1 for mono, 2 for stereo, or more")

    def __post_init__(self):
        check_one_of("domain", self.domain, _DOMAINS)
        try:  # so that the files of a run, which hold the names, can be read
            for name in filter(None, (self.network, self.adapter)):
                import_network(name)
        except XSchemeError as error:
            raise ConfigError(str(error)) from error

    def model_class(self, architecture: str) -> Type[BridgedModel]:
        """One for waveforms, one for magnitudes."""
        return find_model(_DOMAINS[self.domain])

    def title(self, architecture: str) -> str:
        """X- and the name of the network."""
        return f"X-{(self.network or '').rpartition(':')[2]}"

    def model_args(self, sample_rate: int) -> Dict[str, Any]:
        """Arguments of `XScheme` or `XSchemeOfMagnitudes` but for the sources.

        Raises:
            ConfigError: If there is no network.
        """
        if self.network is None:
            raise ConfigError("Expected a network, as `network: demucs.hdemucs:HDemucs`, got none.")
        args = dataclasses.asdict(self)
        args["n_hop"] = args.pop("nhop")
        args["networks"] = args.pop("network")
        del args["domain"]
        return args


_DOMAINS = {"waveform": "XScheme", "magnitude": "XSchemeOfMagnitudes"}


def max_bin(bandwidth: float, n_fft: int, sample_rate: float) -> int:
    """Number of STFT bins from 0 Hz up to `bandwidth`; all where it exceeds sample_rate / 2.

    >>> max_bin(16000, 4096, 44100)
    1487
    """
    return min(int(bandwidth * n_fft / sample_rate), n_fft // 2) + 1


ARCHITECTURES: Mapping[str, type] = {
    "XUMX": XUMXConfig,
    "XD3Net": XD3NetConfig,
    "XConvTasNet": XConvTasNetConfig,
    "XScheme": XSchemeConfig,
}


def options_of(architecture: str) -> type:
    """The dataclass of a model's options.

    Args:
        architecture: One of `ARCHITECTURES`, or "module:Class" of a bridged model of your own.

    Raises:
        ConfigError: If there is no such model, or its arguments cannot be options.
    """
    if architecture in ARCHITECTURES:
        return ARCHITECTURES[architecture]
    try:
        return _options_of_class(find_model(architecture))
    except ValueError as error:
        raise ConfigError(f"architecture: {error}") from error


class _Arguments(ModelOptions):
    """Options that are arguments of a class by the same names."""

    def model_args(self, sample_rate: int) -> Dict[str, Any]:
        """Arguments of the class but for its sources and sample rate."""
        return dataclasses.asdict(self)


def _options_of_class(model_class: Type[BridgedModel]) -> type:
    arguments = inspect.signature(model_class).parameters
    types = typing.get_type_hints(model_class.__init__)
    missing = {*_FROM_DATA, "nb_channels", "bridge"} - set(arguments)
    without_default = [
        name
        for name, argument in arguments.items()
        if name not in _FROM_DATA and argument.default is inspect.Parameter.empty
    ]
    if missing or without_default:
        raise ValueError(
            f"{model_class.__name__} should take the arguments sources, sample_rate, nb_channels "
            "and bridge, and have defaults for all others; "
            f"see {sorted(missing) + without_default}."
        )
    types["bridge"] = bool | List[str]
    options = [
        (
            name,
            types.get(name, type(argument.default)),
            option(argument.default, f"argument {name} of {model_class.__name__}"),
        )
        for name, argument in arguments.items()
        if name not in _FROM_DATA
    ]
    name = f"{model_class.__name__}Config"
    namespace = {"__doc__": model_class.__doc__ or f"{model_class.__name__}."}
    return dataclasses.make_dataclass(name, options, bases=(_Arguments,), namespace=namespace)

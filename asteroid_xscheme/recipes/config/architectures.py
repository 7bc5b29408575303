"""The options of each model, and how they become the arguments of its class.

Options are named as in Asteroid's X-UMX recipe or, if it lacks the option, as in Asteroid's layers.
The options of your own model are the arguments of its class.
"""

import dataclasses
import inspect
import typing
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Type, cast

from ...errors import XSchemeError
from ...models import BridgedModel, find_model, import_network
from ...models.conv_tasnet import CheckedConvTasNetConfig
from .options import ConfigError, check_one_of, option

_FROM_DATA = ("sources", "sample_rate")  # arguments that come from the options of the data


class ModelOptions:
    """Base class of the options of a model."""

    def model_class(self, architecture: str) -> Type[BridgedModel]:
        """The class that these options configure."""
        return find_model(architecture)

    def title(self, architecture: str) -> str:
        """The name of the model in tables."""
        model_class = self.model_class(architecture)
        return model_class.title or model_class.__name__


@dataclass
class XUMXConfig(ModelOptions):
    """X-UMX: one Open-Unmix per source, bridged."""

    bridge: bool | List[str] = option(True, "yes, no, or a list of bridging points")
    window_length: int = option(4096, "length of the STFT window in samples", least=1)
    in_chan: int = option(4096, "size of the STFT in samples", least=1)
    nhop: int = option(1024, "hop of the STFT in samples", least=1)
    hidden_size: int = option(512, "units of the encoders and the BLSTMs", least=1)
    nb_layers: int = option(3, "number of layers in each BLSTM", least=1)
    bidirectional: bool = option(True, "yes: BLSTM; no: LSTM")
    bandwidth: int = option(16000, "highest frequency that the networks read, in Hz", above=0)
    nb_channels: int = option(2, "audio channels: 1 for mono, 2 for stereo, or more", least=1)
    spec_power: float = option(1.0, "exponent applied to the magnitudes", above=0)

    def model_args(self, sample_rate: int) -> Dict[str, Any]:
        """Arguments of `XUMX`, except sources and input statistics."""
        args = dataclasses.asdict(self)
        args["n_hop"] = args.pop("nhop")
        args["max_bin"] = max_bin(args.pop("bandwidth"), self.in_chan, sample_rate)
        return args


@dataclass
class XD3NetConfig(ModelOptions):
    """X-D3Net: one D3Net per source, bridged."""

    bridge: bool | List[str] = option(True, "yes, no, or a list of bridging points")
    network: str | List[str] | Dict[str, Any] = option(
        "vocals",
        "configuration of the networks: vocals, bass, drums, other or small; one name per source; "
        "or a mapping",
    )
    window_length: int = option(4096, "length of the STFT window in samples", least=1)
    in_chan: int = option(4096, "size of the STFT in samples", least=1)
    nhop: int = option(1024, "hop of the STFT in samples", least=1)
    nb_channels: int = option(2, "audio channels: 1 for mono, 2 for stereo, or more", least=1)
    above_valid: str = option(
        "share",
        "what each source gets above the band that the networks estimate: share (an equal part of "
        "the mixture) or mixture (all of it)",
    )
    recompute: bool = option(
        False,
        "recompute blocks in the backward pass: less memory, more time",
        affects_result=False,
    )

    def model_args(self, sample_rate: int) -> Dict[str, Any]:
        """Arguments of `XD3Net`, except sources and input statistics."""
        args = dataclasses.asdict(self)
        args["n_hop"] = args.pop("nhop")
        return args


@dataclass(frozen=True)
class _Networks(ModelOptions):
    """How the networks of an X-Conv-TasNet are connected; a base class to list these first."""

    bridge: bool | List[str] = option(True, "yes, no, or a list of bridging points")
    joint: bool = option(False, "one network with a mask per source, as in the original papers")


@dataclass(frozen=True)
class XConvTasNetConfig(CheckedConvTasNetConfig, _Networks):
    """X-Conv-TasNet: one Conv-TasNet per source, bridged."""

    checkpointing: bool = option(
        False,
        "recompute repeats in the backward pass: less memory, more time",
        affects_result=False,
    )
    window_length: int = option(4096, "length of the loss's STFT window in samples", least=1)
    in_chan: int = option(4096, "size of the loss's STFT in samples", least=1)
    nhop: int = option(1024, "hop of the loss's STFT in samples", least=1)
    spec_power: float = option(1.0, "exponent applied to the loss's magnitudes", above=0)
    nb_channels: int = option(2, "audio channels: 1 for mono, 2 for stereo, or more", least=1)

    def model_args(self, sample_rate: int) -> Dict[str, Any]:
        """Arguments of `XConvTasNet`, except sources."""
        args = dataclasses.asdict(self)
        args["n_hop"] = args.pop("nhop")
        return args


@dataclass
class XSchemeConfig(ModelOptions):
    """Any network: one per source, bridged at named submodules."""

    network: Optional[str] = option(
        None, "class of the networks, as module:Class; the module is imported"
    )
    network_args: Dict[str, Any] = option(
        {}, "arguments of that class, for a network of one source (only in conf.yml)"
    )
    points: List[str] = option(
        [], "bridging points: NAME for the input of a submodule, NAME:output for its output"
    )
    domain: str = option("waveform", "what the networks read and return: waveform or magnitude")
    adapter: Optional[str] = option(
        None, "module:function of (networks, mixture) -> estimates (none: call each network)"
    )
    bridge: bool | List[str] = option(True, "yes, no, or a list of some of the points")
    window_length: int = option(4096, "length of the STFT window in samples")
    in_chan: int = option(4096, "size of the STFT in samples")
    nhop: int = option(1024, "hop of the STFT in samples")
    spec_power: float = option(1.0, "exponent applied to the magnitudes")
    nb_channels: int = option(2, "audio channels: 1 for mono, 2 for stereo, or more")

    def __post_init__(self):
        check_one_of("domain", self.domain, _DOMAINS)
        try:  # importing registers them, so that files of a run that name them can be read
            for name in filter(None, (self.network, self.adapter)):
                import_network(name)
        except XSchemeError as error:
            raise ConfigError(str(error)) from error

    def model_class(self, architecture: str) -> Type[BridgedModel]:
        """`XScheme` for waveforms, `XSchemeOfMagnitudes` for magnitudes."""
        return find_model(_DOMAINS[self.domain])

    def title(self, architecture: str) -> str:
        """X- followed by the name of the network's class."""
        return f"X-{(self.network or '').rpartition(':')[2]}"

    def model_args(self, sample_rate: int) -> Dict[str, Any]:
        """Arguments of `XScheme` or `XSchemeOfMagnitudes`, except sources.

        Raises:
            ConfigError: If `network` is not set.
        """
        if self.network is None:
            raise ConfigError(
                "network is not set: expected a class such as `network: demucs.hdemucs:HDemucs`."
            )
        args = dataclasses.asdict(self)
        args["n_hop"] = args.pop("nhop")
        args["networks"] = args.pop("network")
        del args["domain"]
        return args


_DOMAINS = {"waveform": "XScheme", "magnitude": "XSchemeOfMagnitudes"}


def max_bin(bandwidth: float, n_fft: int, sample_rate: float) -> int:
    """Number of STFT bins from 0 Hz up to `bandwidth`; all bins if it exceeds sample_rate / 2.

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
        architecture: One of `ARCHITECTURES`, or "module:Class" of your own bridged model.

    Raises:
        ConfigError: If there is no such model, or its arguments are unsuitable as options.
    """
    if architecture in ARCHITECTURES:
        return ARCHITECTURES[architecture]
    try:
        return _options_of_class(find_model(architecture))
    except XSchemeError as error:
        raise ConfigError(f"architecture: {error}") from error


class _Arguments(ModelOptions):
    """Options that become arguments of the same names."""

    def model_args(self, sample_rate: int) -> Dict[str, Any]:
        """Arguments of the class, except sources and sample rate."""
        return dataclasses.asdict(cast(Any, self))  # subclasses are dataclasses


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
        raise XSchemeError(
            f"{model_class.__name__} must accept the arguments sources, sample_rate, nb_channels "
            "and bridge, and all except sources and sample_rate need a default; check "
            f"{', '.join(sorted(missing) + without_default)}."
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

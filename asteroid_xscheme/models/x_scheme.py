"""The X-scheme around any network, as a model: trained, separated with and saved as the others.

`XScheme` takes networks of waveforms, `XSchemeOfMagnitudes` networks of magnitudes. The networks
are anybody's and stay as they are; see :class:`asteroid_xscheme.bridged_networks.BridgedNetworks`.
"""

from typing import Any, Callable, List, Mapping, Optional, Sequence, Union

import torch
from torch import nn

from ..bridge import BridgeChoice
from ..bridged_networks import BridgedNetworks
from ..errors import XSchemeError
from .bridged_models import BridgedModel, as_batch
from .networks import name_of, resolve
from .spectrogram import SpectrogramModel
from .waveform import WaveformModel

Networks = Union[str, Callable[..., nn.Module], Sequence[nn.Module]]
Adapter = Callable[[BridgedNetworks, torch.Tensor], Sequence[torch.Tensor]]


class _OfNetworks(BridgedModel):
    """What models of anybody's networks have in common; they build `wrapped`."""

    title = "X-scheme"
    wrapped: "_Wrapped"

    def weights_by_source(self) -> dict[Optional[str], dict[str, torch.Tensor]]:
        """By source, the tensors of its network; see :meth:`BridgedModel.weights_by_source`."""
        return {s: net.state_dict() for s, net in zip(self.sources, self.wrapped.networks)}

    def get_model_args(self) -> dict:
        """Arguments that rebuild the model, the class of its networks by name."""
        return {**super().get_model_args(), **self.wrapped.get_args(self.bridge_points)}


class XScheme(_OfNetworks, WaveformModel):
    """Any networks from waveforms to waveforms, one per source, bridged at named submodules.

    Each maps (B, C, T) to (B, C, T) or (B, 1, C, T); what differs goes through an adapter.

    Args:
        networks: The class of the networks, of which one is built for each source; or J modules.
            In a file: the class's name.
        sources: Names of the sources.
        points: Bridging points as :class:`BridgedNetworks` takes them.
        network_args: Arguments that build one network, plain data. Needed to save a model that was
            given modules.
        network: The class, where `networks` is a name that a file holds.
        adapter: Function of (networks, mixture) that calls the networks and returns J estimates of
            the mixture's shape, such as `lambda networks, x: [y[:, :1] for y in networks(x)]`. By
            default `networks(mixture)`. A file holds its name.
        window_length: Samples of the Hann window of the spectrograms that `forward` returns.
        in_chan: Size of their transform in samples.
        n_hop: Samples between two of their frames.
        spec_power: Their exponent p of |S|^p.
        nb_channels: Channels C of the waveforms. A mono model reads the mean of its channels.
        sample_rate: Rate of the waveforms in Hz.
        bridge: True for all points, False for none, or some of them.

    Raises:
        BridgingError: If the networks cannot be bridged at the points.
    """

    def __init__(
        self,
        networks: Networks,
        sources: Sequence[str],
        points: Sequence[str],
        network_args: Optional[Mapping[str, Any]] = None,
        network: Optional[Callable[..., nn.Module]] = None,
        adapter: Union[None, str, Adapter] = None,
        window_length: int = 4096,
        in_chan: int = 4096,
        n_hop: int = 1024,
        spec_power: float = 1,
        nb_channels: int = 2,
        sample_rate: float = 44100,
        bridge: BridgeChoice = True,
    ):
        self.bridge_points = self.default_bridge_points = tuple(points)
        super().__init__(
            sources, sample_rate, nb_channels, bridge, window_length, in_chan, n_hop, spec_power
        )
        self.wrapped = _Wrapped(self, networks, network_args, network, adapter)

    def forward_wav(self, wav: torch.Tensor) -> torch.Tensor:
        """Waveforms (B, J, C, T) of the sources; see :meth:`BridgedModel.forward_wav`."""
        wav = as_batch(wav, self.nb_channels)
        if self.nb_channels == 1:
            wav = wav.mean(1, keepdim=True)
        return torch.stack(self.wrapped(wav), dim=1)


class XSchemeOfMagnitudes(_OfNetworks, SpectrogramModel):
    """Any networks from magnitudes to magnitudes, one per source, bridged at named submodules.

    Each maps (B, C, F, N), openunmix's order, to (B, C, F, N) or (B, 1, C, F, N); what differs goes
    through an adapter. Estimates take the phase of the mixture.

    Args:
        networks: As in :class:`XScheme`, like `points`, `network_args`, `network`, `adapter`.
        sources: Names of the sources.
        points: Bridging points.
        network_args: Arguments that build one network.
        network: The class, where `networks` is a name that a file holds.
        adapter: Function of (networks, magnitudes) that returns J estimates.
        window_length: Samples of the Hann window, at most `in_chan`.
        in_chan: Size of the Fourier transform in samples; it has F = in_chan // 2 + 1 bins.
        n_hop: Samples between two frames.
        spec_power: Exponent p of the spectrograms |X|^p that the networks read.
        return_time_signals: Whether `forward` also returns waveforms.
        nb_channels: Channels C of the mixture; 1 reads the mean of the channels it is given.
        sample_rate: Rate of the waveforms in Hz.
        bridge: True for all points, False for none, or some of them.

    Raises:
        BridgingError: If the networks cannot be bridged at the points.
    """

    def __init__(
        self,
        networks: Networks,
        sources: Sequence[str],
        points: Sequence[str],
        network_args: Optional[Mapping[str, Any]] = None,
        network: Optional[Callable[..., nn.Module]] = None,
        adapter: Union[None, str, Adapter] = None,
        window_length: int = 4096,
        in_chan: int = 4096,
        n_hop: int = 1024,
        spec_power: float = 1,
        return_time_signals: bool = True,
        nb_channels: int = 2,
        sample_rate: float = 44100,
        bridge: BridgeChoice = True,
    ):
        self.bridge_points = self.default_bridge_points = tuple(points)
        super().__init__(sources, sample_rate, nb_channels, bridge)
        self.n_fft, self.hop, self.spec_power = in_chan, n_hop, spec_power
        self.return_time_signals = return_time_signals
        self.register_buffer("window", torch.hann_window(window_length), persistent=False)
        self.wrapped = _Wrapped(self, networks, network_args, network, adapter)

    def estimate_magnitudes(self, magnitudes: torch.Tensor) -> torch.Tensor:
        """Magnitudes (N, B, C, F) of the mixture -> (J, N, B, C, F) of the sources."""
        estimates = self.wrapped(magnitudes.permute(1, 2, 3, 0))
        return torch.stack(estimates).permute(0, 4, 1, 2, 3)

    def get_model_args(self) -> dict:
        """Arguments that rebuild the model, the class of its networks by name."""
        return {
            **super().get_model_args(),
            "window_length": self.window.numel(),
            "in_chan": self.n_fft,
            "n_hop": self.hop,
            "spec_power": self.spec_power,
            "return_time_signals": self.return_time_signals,
        }


class _Wrapped(BridgedNetworks):
    """The networks of a model, called so that each gives an estimate of the mixture's shape."""

    def __init__(self, model, networks: Networks, network_args, network, adapter):
        if isinstance(networks, (list, tuple, nn.ModuleList)):
            built = list(networks)
        else:
            make = resolve(networks, network, "network")
            built = [make(**dict(network_args or {})) for _ in model.sources]
            network_args = network_args or {}
        if len(built) != len(model.sources):
            raise XSchemeError(
                f"Expected one network for each of the {len(model.sources)} sources, got "
                f"{len(built)}."
            )
        super().__init__(built, model.bridges.open)
        self.network_args = network_args
        self.adapter = resolve(adapter, None, "adapter")

    def forward(self, mixture: torch.Tensor) -> List[torch.Tensor]:
        """J estimates of the shape of a mixture."""
        call = super().forward
        outputs = call(mixture) if self.adapter is None else self.adapter(call, mixture)
        return [_as_estimate(output, mixture) for output in outputs]

    def get_args(self, points: Sequence[str]) -> dict:
        """What rebuilds the networks, in plain types.

        Raises:
            XSchemeError: If nobody said how to build one.
        """
        kinds = {name_of(type(network)) for network in self.networks}
        if self.network_args is None or len(kinds) > 1:
            raise XSchemeError(
                "A file stores one class and its arguments, from which all networks are built. "
                f"This model was built from modules of {sorted(kinds)}"
                + (": pass their arguments as network_args={...}." if len(kinds) == 1 else ".")
            )
        args = {
            "networks": kinds.pop(),
            "network_args": dict(self.network_args),
            "points": list(points),
        }
        return args if self.adapter is None else {**args, "adapter": name_of(self.adapter)}


def _as_estimate(output: Any, mixture: torch.Tensor) -> torch.Tensor:
    """An output, without the axis of its one source if there is one."""
    shape = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
    one_source = (mixture.shape[0], 1, *mixture.shape[1:])
    if shape == one_source:
        return output[:, 0]
    if shape != tuple(mixture.shape):
        raise XSchemeError(
            f"Expected an estimate of shape {tuple(mixture.shape)} or {one_source} from each "
            f"network, got {shape}. Give an adapter, a function of (networks, mixture)."
        )
    return output

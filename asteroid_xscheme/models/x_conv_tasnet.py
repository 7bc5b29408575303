"""X-Conv-TasNet: one Conv-TasNet per source, waveform to waveform, bridged in the separator."""

from typing import Any, ClassVar, List, Sequence, Tuple, Type, cast

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from ..bridge import BridgeChoice
from .bridged_models import as_batch
from .conv_tasnet_config import ConvTasNetConfig
from .source_conv_tasnet import SourceConvTasNet
from .waveform import WaveformModel


def _points(n_repeats: int) -> Tuple[str, ...]:
    """Bridging points of a separator of so many repeats, in the order of its data flow."""
    return ("encoder", "bottleneck", *(f"repeat{r + 1}" for r in range(n_repeats)), "separator")


class XConvTasNet(WaveformModel):
    """Conv-TasNets of J sources that are bridged after the bottleneck and before the masks.

    The paper [1] names the model but not its bridging points. They are our choice, by the pattern
    of X-UMX: the mean goes on, and what each network keeps for itself is the encoding that its mask
    multiplies. With its bridges closed, the model is the original networks, one per source; with
    `joint` it is the original of the papers, one network of as many masks.

    Bridging points:

    * "encoder": what goes into the bottlenecks (each mask multiplies its own encoding still),
    * "bottleneck" (default): what goes into the separators,
    * "repeat1", ...: what leaves a repeat, its residual stream and the sum of skips,
    * "separator" (default): what the masks are made of.

    A model is equivariant to gain: a mixture times g > 0 gives estimates times g, unless it is as
    faint as the epsilon of the norms, so mixtures need no normalisation of their level. Chunks of
    a song are not separated exactly as the whole: the global norms see each chunk by itself. With
    local norms ("cLN") they are, from half a receptive field beyond a cut, if chunks begin at
    multiples of the stride.

    Args:
        sources: Names of the sources.
        window_length: Samples of the Hann window of the spectrograms that `forward` returns.
        in_chan: Size of their transform in samples (asteroid's name in X-UMX).
        n_hop: Samples between two of their frames.
        spec_power: Their exponent p of |S|^p.
        return_spectrograms: Whether `forward` computes them; a loss on waveforms needs none.
        return_time_signals: Whether `forward` returns waveforms as well.
        joint: One network of J masks instead of J networks; it has no bridging points.
        checkpointing: In training, keep only what goes into each repeat and compute the repeat
            again in the backward pass: a third more work, a fraction of the memory.
        nb_channels: Channels C of the waveforms. A mono model reads the mean of its channels.
        sample_rate: Rate of the waveforms in Hz.
        bridge: True, False, or names of bridging points.
        **network: What each source's network is built from, as in :class:`ConvTasNetConfig`.

    Raises:
        ValueError: If no such network or bridge can be built.

    References
        [1] R. Sawata, N. Takahashi, S. Uhlich, S. Takahashi and Y. Mitsufuji, "The whole is
        greater than the sum of its parts: improving music source separation by bridging networks",
        EURASIP Journal on Audio, Speech, and Music Processing 2024:39,
        https://arxiv.org/abs/2305.07855.
    """

    config_class: ClassVar[Type[ConvTasNetConfig]] = ConvTasNetConfig
    network_class: ClassVar[Type[SourceConvTasNet]] = SourceConvTasNet
    bridge_points = _points(4)
    default_bridge_points: Tuple[str, ...] = ("bottleneck", "separator")

    def __init__(
        self,
        sources: Sequence[str],
        window_length: int = 4096,
        in_chan: int = 4096,
        n_hop: int = 1024,
        spec_power: float = 1,
        return_spectrograms: bool = True,
        return_time_signals: bool = True,
        joint: bool = False,
        checkpointing: bool = False,
        nb_channels: int = 2,
        sample_rate: float = 44100,
        bridge: BridgeChoice = True,
        **network: Any,
    ):
        self.config = self.config_class(**network)
        self.bridge_points = () if joint else _points(self.config.n_repeats)
        self.default_bridge_points = () if joint else type(self).default_bridge_points
        super().__init__(
            sources, sample_rate, nb_channels, bridge, window_length, in_chan, n_hop, spec_power
        )
        self.return_spectrograms = return_spectrograms
        self.return_time_signals = return_time_signals
        self.joint = joint
        self.checkpointing = checkpointing
        n_networks, n_masks = (1, len(self.sources)) if joint else (len(self.sources), 1)
        networks = [
            self.network_class(nb_channels, n_masks, self.config) for _ in range(n_networks)
        ]
        self.networks = cast(Sequence[SourceConvTasNet], nn.ModuleList(networks))

    def forward_wav(self, wav: torch.Tensor) -> torch.Tensor:
        """Waveforms (B, J, C, T) of the sources; see :meth:`BridgedModel.forward_wav`."""
        wav = as_batch(wav, self.nb_channels)
        if self.nb_channels == 1:
            wav = wav.mean(1, keepdim=True)
        encodings = [network.encode(wav) for network in self.networks]
        features = self.bridges("encoder", encodings)
        features = [net.bottleneck(x) for net, x in zip(self.networks, features)]
        features = self._separate(self.bridges("bottleneck", features))
        features = self.bridges("separator", features)
        estimates = [
            network.decode(network.masks(x), encoding, wav.shape[-1])
            for network, x, encoding in zip(self.networks, features, encodings)
        ]
        return torch.cat(estimates, dim=1)

    def _separate(self, streams: List[torch.Tensor]) -> List[torch.Tensor]:
        """What the masks are made of, one tensor per network, from the bottlenecks' outputs."""
        skips: List[Any] = [None] * len(streams)  # tensors, if there are skips, after one repeat
        for index in range(self.config.n_repeats):
            states = [
                self._run_repeat(network, index, stream, skip)
                for network, stream, skip in zip(self.networks, streams, skips)
            ]
            streams, skips = map(list, zip(*states))
            streams = self.bridges(f"repeat{index + 1}", streams)
            if self.config.skip_chan:
                skips = self.bridges(f"repeat{index + 1}", skips)
        return skips if self.config.skip_chan else streams

    def _run_repeat(self, network: SourceConvTasNet, index: int, stream, skips):
        if not (self.checkpointing and torch.is_grad_enabled()):
            return network.run_repeat(index, stream, skips)
        return checkpoint(
            network.run_repeat, index, stream, skips, use_reentrant=False, preserve_rng_state=False
        )

    def get_model_args(self) -> dict:
        """Arguments that rebuild the model."""
        return {
            **super().get_model_args(),
            **self.config.arguments(),
            "return_spectrograms": self.return_spectrograms,
            "return_time_signals": self.return_time_signals,
            "joint": self.joint,
            "checkpointing": self.checkpointing,
        }

"""X-Conv-TasNet as this package runs it: the plain model on faster blocks, and what it costs.

Parameters and values are those of :mod:`.x_conv_tasnet`; see :mod:`.temporal_block` for the speed.
"""

from dataclasses import dataclass
from typing import Optional, Sequence, Tuple

import torch
from torch import nn

from . import x_conv_tasnet
from .checks import check_arguments, check_sizes
from .conv_tasnet_config import ConvTasNetConfig
from .source_conv_tasnet import SourceConvTasNet
from .temporal_block import hidden_features, normalize


@dataclass(frozen=True)
class CheckedConvTasNetConfig(ConvTasNetConfig):
    """A :class:`ConvTasNetConfig` whose arguments may come from an untrusted file.

    Raises:
        ValueError: If an argument has the wrong type, is not a valid size, or fits no network.
    """

    def __post_init__(self):
        check_arguments(type(self), **self.arguments())
        check_sizes(n_filters=self.n_filters, bn_chan=self.bn_chan, hid_chan=self.hid_chan)
        check_sizes(n_blocks=self.n_blocks, n_repeats=self.n_repeats)
        check_sizes(kernel_size=self.kernel_size, conv_kernel_size=self.conv_kernel_size)
        super().__post_init__()


class ConvTasNet(SourceConvTasNet):
    """A :class:`SourceConvTasNet` in fewer passes over memory."""

    def bottleneck(self, encoding: torch.Tensor) -> torch.Tensor:
        """Features (B, bn_chan, K) of an encoding (B, N, K)."""
        return self.bottleneck_conv(normalize(encoding, self.bottleneck_norm))

    def run_repeat(
        self, index: int, stream: torch.Tensor, skips: Optional[torch.Tensor]
    ) -> Tuple[torch.Tensor, Optional[torch.Tensor]]:
        """One repeat of the separator; see :meth:`SourceConvTasNet.run_repeat`."""
        for block in self.repeats[index]:
            hidden = hidden_features(block, stream)
            if self.skip_chan:
                skip = block.skip_conv(hidden)
                skips = skip if skips is None else skips + skip
            if block.res_conv is not self._unused_conv:
                stream = stream + block.res_conv(hidden)
        return stream, skips

    @property
    def receptive_field(self) -> int:
        """Samples that affect one frame of a mask, ignoring the norms."""
        blocks = [block.shared_block[3] for repeat in self.repeats for block in repeat]
        n_frames = 1 + sum((conv.kernel_size[0] - 1) * conv.dilation[0] for conv in blocks)
        return (n_frames - 1) * self.stride + self.encoder.kernel_size[0]

    def macs_per_second(self, sample_rate: float) -> float:
        """Multiply-accumulates per second of audio: each weight once per frame it sees."""
        convs = [m for m in self.modules() if isinstance(m, nn.Conv1d)]
        per_frame = sum(conv.weight.numel() for conv in convs if conv is not self._unused_conv)
        per_frame += self.n_masks * self.decoder.weight.numel()
        return per_frame * sample_rate / self.stride


class XConvTasNet(x_conv_tasnet.XConvTasNet):
    __doc__ = x_conv_tasnet.XConvTasNet.__doc__

    title = "X-Conv-TasNet"
    config_class = CheckedConvTasNetConfig
    network_class = ConvTasNet
    networks: Sequence[ConvTasNet]

    @property
    def receptive_field(self) -> int:
        """Samples of the mixture on which a sample of an estimate depends, norms aside."""
        return self.networks[0].receptive_field

    def macs_per_second(self) -> float:
        """Multiply-accumulates of all networks per second of audio."""
        return sum(network.macs_per_second(self.sample_rate) for network in self.networks)

    def weights_by_source(self) -> dict[Optional[str], dict[str, torch.Tensor]]:
        """By source, the tensors of its network; of a joint network those of its mask.

        See :meth:`BridgedModel.weights_by_source`.
        """
        states: list[dict[str, torch.Tensor]] = [net.state_dict() for net in self.networks]
        if not self.joint:
            return dict(zip(self.sources, states))
        names = [name for name in states[0] if name.startswith("mask_conv.")]
        masks = {name: states[0].pop(name).chunk(len(self.sources)) for name in names}
        own = [{name: each[j] for name, each in masks.items()} for j in range(len(self.sources))]
        return {None: states[0], **dict(zip(self.sources, own))}

"""The network of one source in X-Conv-TasNet: waveforms of a mixture in, of its sources out.

Asteroid's Conv-TasNet is mono and runs from end to end. This network encodes and decodes all
channels together, and its steps are public, so that several networks can be bridged between them.
"""

from typing import Optional, Sequence, Tuple, cast

import torch
import torch.nn.functional as F
from asteroid.masknn import activations, norms
from asteroid.masknn.convolutional import Conv1DBlock
from torch import nn

from .conv_tasnet_config import ConvTasNetConfig

ASTEROID_VARIANT = {
    "skip_chan": 128,
    "bias": True,
    "bottleneck_norm": "gLN",
    "mask_prelu": True,
    "mask_act": "sigmoid",
    "encoder_activation": "linear",
}
"""Options that make a network asteroid's `ConvTasNet`, but for its filters' channels."""


class SourceConvTasNet(nn.Module):
    """A Conv-TasNet [1] of blocks of `asteroid.masknn`, step by step.

    A source has one mask, which all channels share. The default is the variant of [2]: no skip
    connections, no biases, cLN before the bottleneck, and masks by ReLU straight from the residual
    stream. With `ASTEROID_VARIANT` the masks are those of asteroid's `TDConvNet`.

    In shapes B is the batch, N the number of filters, K the number of the encoder's frames.

    Args:
        nb_channels: Channels C of the waveforms.
        n_masks: Sources of this network.
        config: The network's configuration.

    References
        [1] Y. Luo and N. Mesgarani, "Conv-TasNet: Surpassing ideal time-frequency magnitude
        masking for speech separation", TASLP 2019, https://arxiv.org/abs/1809.07454.
        [2] A. Défossez, N. Usunier, L. Bottou and F. Bach, "Music source separation in the waveform
        domain", 2019, https://arxiv.org/abs/1911.13254.
    """

    def __init__(
        self, nb_channels: int, n_masks: int, config: ConvTasNetConfig = ConvTasNetConfig()
    ):
        super().__init__()
        n_filters, bn_chan, bias = config.n_filters, config.bn_chan, config.bias
        framing = config.kernel_size, config.hop
        self.n_masks = n_masks
        self.skip_chan = config.skip_chan
        self.stride = config.hop
        self.encoder = nn.Conv1d(nb_channels, n_filters, *framing, bias=False)
        self.encoder_activation = activations.get(config.encoder_activation)()
        self.bottleneck_norm = norms.get(config.bottleneck_norm)(n_filters)
        self.bottleneck_conv = nn.Conv1d(n_filters, bn_chan, 1, bias=bias)
        repeats = nn.ModuleList(
            nn.ModuleList(_block(config, dilation=2**x) for x in range(config.n_blocks))
            for _ in range(config.n_repeats)
        )
        self.repeats = cast(Sequence[Sequence[Conv1DBlock]], repeats)
        if self._unused_conv is not None:
            self._unused_conv.requires_grad_(False)
        self.mask_prelu = nn.PReLU() if config.mask_prelu else nn.Identity()
        self.mask_conv = nn.Conv1d(self.skip_chan or bn_chan, n_masks * n_filters, 1, bias=bias)
        self.mask_activation = _mask_activation(config.mask_act, n_masks)
        self.decoder = nn.ConvTranspose1d(n_filters, nb_channels, *framing, bias=False)
        _initialize(self)

    @property
    def _unused_conv(self) -> Optional[nn.Conv1d]:
        """With skip connections the last residual is unused; asteroid's layout has its weights."""
        return self.repeats[-1][-1].res_conv if self.skip_chan else None

    def encode(self, wav: torch.Tensor) -> torch.Tensor:
        """Frames (B, N, K) of a waveform (B, C, T), in full precision also under autocast.

        Silence is added at the end so that the last frame covers the last samples.
        """
        n_samples = wav.shape[-1]
        kernel_size = self.encoder.kernel_size[0]
        missing = max(kernel_size - n_samples, (kernel_size - n_samples) % self.stride)
        with torch.autocast(wav.device.type, enabled=False):
            wav = F.pad(wav.to(self.encoder.weight.dtype), (0, missing))
            return self.encoder_activation(self.encoder(wav))

    def bottleneck(self, encoding: torch.Tensor) -> torch.Tensor:
        """Features (B, bn_chan, K) of an encoding (B, N, K)."""
        return self.bottleneck_conv(self.bottleneck_norm(encoding))

    def run_repeat(
        self, index: int, stream: torch.Tensor, skips: Optional[torch.Tensor]
    ) -> Tuple[torch.Tensor, Optional[torch.Tensor]]:
        """One repeat of the separator.

        Args:
            index: Which one, from 0.
            stream: Residual stream (B, bn_chan, K).
            skips: Sum of the skips so far (B, skip_chan, K); None at first and without skips.

        Returns:
            The stream and the skips after the repeat.
        """
        for block in self.repeats[index]:
            if self.skip_chan:
                residual, skip = block(stream)
                skips = skip if skips is None else skips + skip
            else:
                residual = block(stream)
            stream = stream + residual
        return stream, skips

    def masks(self, features: torch.Tensor) -> torch.Tensor:
        """Masks (B, n_masks, N, K) of the stream or, with skips, of their sum."""
        scores = self.mask_conv(self.mask_prelu(features))
        return self.mask_activation(scores.unflatten(1, (self.n_masks, -1)))

    def decode(self, masks: torch.Tensor, encoding: torch.Tensor, n_samples: int) -> torch.Tensor:
        """Waveforms (B, n_masks, C, n_samples) of an encoding (B, N, K) under masks."""
        with torch.autocast(encoding.device.type, enabled=False):
            masked = masks.to(encoding.dtype) * encoding[:, None]
            waveforms = self.decoder(masked.flatten(0, 1))[..., :n_samples]
        return waveforms.unflatten(0, (-1, self.n_masks))

    def forward(self, wav: torch.Tensor) -> torch.Tensor:
        """Waveforms (B, n_masks, C, T) of the sources of a mixture (B, C, T)."""
        encoding = self.encode(wav)
        stream, skips = self.bottleneck(encoding), None
        for index in range(len(self.repeats)):
            stream, skips = self.run_repeat(index, stream, skips)
        masks = self.masks(stream if skips is None else skips)
        return self.decode(masks, encoding, wav.shape[-1])


def _block(config: ConvTasNetConfig, dilation: int) -> Conv1DBlock:
    block = Conv1DBlock(
        config.bn_chan,
        config.hid_chan,
        config.skip_chan,
        config.conv_kernel_size,
        padding=(config.conv_kernel_size - 1) * dilation // 2,
        dilation=dilation,
        norm_type=config.norm_type,
    )
    if not config.bias:
        for conv in block.modules():
            if isinstance(conv, nn.Conv1d):
                conv.register_parameter("bias", None)
    return block


def _mask_activation(name: str, n_masks: int) -> nn.Module:
    if name != "softmax":
        return activations.get(name)()
    if n_masks == 1:
        raise ValueError(
            "Expected a mask_act that works on one source at a time; softmax needs joint=True."
        )
    return activations.get(name)(dim=1)


def _initialize(network: nn.Module) -> None:
    """Xavier's normal distribution for every kernel, as the Demucs paper's code does."""
    for parameter in network.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_normal_(parameter)

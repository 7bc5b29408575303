"""One Conv-TasNet for waveforms of several channels: mixture in, one or more sources out.

asteroid's Conv-TasNet is mono; this one encodes and decodes all channels together, and its steps
are public so that several networks can be bridged between them. A source has one mask, shared by
the channels. Options choose between two published variants:

* the Demucs paper's (the default): no skip connections, no biases, cLN before the bottleneck,
  masks by ReLU straight from the residual stream. A. Défossez, N. Usunier, L. Bottou and F. Bach,
  "Music source separation in the waveform domain", 2019, https://arxiv.org/abs/1911.13254.
* asteroid's `TDConvNet`: `ASTEROID_VARIANT`.
"""

from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from asteroid.masknn import activations, norms
from asteroid.masknn.convolutional import Conv1DBlock
from torch import nn

from .temporal_block import hidden_features, normalize

ASTEROID_VARIANT = {
    "skip_chan": 128,
    "bias": True,
    "bottleneck_norm": "gLN",
    "mask_prelu": True,
    "mask_act": "sigmoid",
    "encoder_activation": "linear",
}
"""Options that make a network asteroid's `ConvTasNet`, but for its filters' channels."""


class ConvTasNet(nn.Module):
    """Encoder, separator and decoder of n_masks sources, step by step.

    Letters are the paper's: N filters of L samples, B bottleneck and H hidden channels, Sc skip
    channels, P taps, X blocks in each of R repeats. In shapes B is the batch, K the number of
    the encoder's frames.

    Args:
        nb_channels: Channels C of the waveforms.
        n_masks: Sources of this network.
        n_filters: N, channels of the encoder.
        kernel_size: L, samples of a filter.
        stride: Samples between two frames; None for half of `kernel_size`.
        bn_chan: B, channels of the residual stream.
        hid_chan: H, channels inside a block.
        skip_chan: Sc, channels of the skip connections; 0 for none.
        conv_kernel_size: P, odd number of taps of the depthwise convolutions.
        n_blocks: X, blocks per repeat, of dilations 1, 2, 4, ...
        n_repeats: R.
        norm_type: Norm in the blocks, a name of `asteroid.masknn.norms`.
        bottleneck_norm: Norm of the encoding before the bottleneck.
        bias: Whether the separator's convolutions have biases; encoder and decoder have none.
        mask_prelu: Whether a PReLU stands before the mask's convolution.
        mask_act: Activation of the masks, a name of `asteroid.masknn.activations`.
        encoder_activation: Activation of the encoding.

    Raises:
        ValueError: If `conv_kernel_size` is even or the stride leaves samples out.
    """

    def __init__(
        self,
        nb_channels: int,
        n_masks: int,
        n_filters: int = 256,
        kernel_size: int = 20,
        stride: Optional[int] = None,
        bn_chan: int = 256,
        hid_chan: int = 512,
        skip_chan: int = 0,
        conv_kernel_size: int = 3,
        n_blocks: int = 10,
        n_repeats: int = 4,
        norm_type: str = "gLN",
        bottleneck_norm: str = "cLN",
        bias: bool = False,
        mask_prelu: bool = False,
        mask_act: str = "relu",
        encoder_activation: str = "relu",
    ):
        super().__init__()
        stride = stride or kernel_size // 2
        _check_sizes(kernel_size, stride, conv_kernel_size)
        self.n_masks = n_masks
        self.skip_chan = skip_chan
        self.stride = stride
        self.encoder = nn.Conv1d(nb_channels, n_filters, kernel_size, stride, bias=False)
        self.encoder_activation = activations.get(encoder_activation)()
        self.bottleneck_norm = norms.get(bottleneck_norm)(n_filters)
        self.bottleneck_conv = nn.Conv1d(n_filters, bn_chan, 1, bias=bias)
        self.repeats = nn.ModuleList(
            nn.ModuleList(
                _block(bn_chan, hid_chan, skip_chan, conv_kernel_size, 2**x, norm_type, bias)
                for x in range(n_blocks)
            )
            for _ in range(n_repeats)
        )
        if self._unused_conv is not None:
            self._unused_conv.requires_grad_(False)
        self.mask_prelu = nn.PReLU() if mask_prelu else nn.Identity()
        self.mask_conv = nn.Conv1d(skip_chan or bn_chan, n_masks * n_filters, 1, bias=bias)
        self.mask_activation = _mask_activation(mask_act, n_masks)
        self.decoder = nn.ConvTranspose1d(n_filters, nb_channels, kernel_size, stride, bias=False)
        _initialize(self)

    @property
    def _unused_conv(self) -> Optional[nn.Conv1d]:
        """With skips nothing follows the last residual; asteroid's layout has its weights."""
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
        return self.bottleneck_conv(normalize(encoding, self.bottleneck_norm))

    def run_repeat(
        self, index: int, stream: torch.Tensor, skips: Optional[torch.Tensor]
    ) -> Tuple[torch.Tensor, Optional[torch.Tensor]]:
        """One repeat of the separator.

        Args:
            index: Which one, from 0.
            stream: Residual stream (B, bn_chan, K).
            skips: Sum of the skips so far (B, skip_chan, K); None at first and without skips.

        Returns:
            stream and skips after the repeat.
        """
        for block in self.repeats[index]:
            hidden = hidden_features(block, stream)
            if self.skip_chan:
                skip = block.skip_conv(hidden)
                skips = skip if skips is None else skips + skip
            if block.res_conv is not self._unused_conv:
                stream = stream + block.res_conv(hidden)
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

    @property
    def receptive_field(self) -> int:
        """Samples that the frames seen by one mask cover, norms aside."""
        blocks = [block.shared_block[3] for repeat in self.repeats for block in repeat]
        n_frames = 1 + sum((conv.kernel_size[0] - 1) * conv.dilation[0] for conv in blocks)
        return (n_frames - 1) * self.stride + self.encoder.kernel_size[0]

    def macs_per_second(self, sample_rate: float) -> float:
        """Multiply-accumulates per second of audio: each weight once per frame it sees."""
        convs = [m for m in self.modules() if isinstance(m, nn.Conv1d)]
        per_frame = sum(conv.weight.numel() for conv in convs if conv is not self._unused_conv)
        per_frame += self.n_masks * self.decoder.weight.numel()
        return per_frame * sample_rate / self.stride


def _block(bn_chan, hid_chan, skip_chan, n_taps, dilation, norm_type, bias) -> Conv1DBlock:
    padding = (n_taps - 1) * dilation // 2
    block = Conv1DBlock(bn_chan, hid_chan, skip_chan, n_taps, padding, dilation, norm_type)
    if not bias:
        for conv in block.modules():
            if isinstance(conv, nn.Conv1d):
                conv.register_parameter("bias", None)
    return block


def _mask_activation(name: str, n_masks: int) -> nn.Module:
    if name != "softmax":
        return activations.get(name)()
    if n_masks == 1:
        raise ValueError("Expected a mask_act of one source at a time; softmax needs joint=True.")
    return activations.get(name)(dim=1)


def _check_sizes(kernel_size: int, stride: int, conv_kernel_size: int) -> None:
    if not 1 <= stride <= kernel_size:
        raise ValueError(f"Expected a stride from 1 to kernel_size {kernel_size}, got {stride}.")
    if conv_kernel_size % 2 == 0:
        raise ValueError(f"Expected an odd conv_kernel_size, got {conv_kernel_size}.")


def _initialize(network: nn.Module) -> None:
    """Xavier's normal distribution for every kernel, as the Demucs paper's code does."""
    for parameter in network.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_normal_(parameter)

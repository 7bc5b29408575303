"""What a Conv-TasNet is built from: an immutable description, which models and options share."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Optional

from .checks import check_arguments, check_sizes


def _argument(default: Any, explanation: str) -> Any:
    """A field with its default and, as `help` in its metadata, an explanation in a line."""
    return dataclasses.field(default=default, metadata={"help": explanation})


@dataclass(frozen=True)
class ConvTasNetConfig:
    """One Conv-TasNet; letters are the paper's.

    Attributes:
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
        ValueError: If an argument is of another type or no size, `conv_kernel_size` is even or the
            stride leaves samples out.
    """

    n_filters: int = _argument(256, "filters of the encoder (N)")
    kernel_size: int = _argument(20, "length of the filters in samples (L)")
    stride: Optional[int] = _argument(None, "hop of the filters; none is half their length")
    bn_chan: int = _argument(256, "channels of the bottleneck (B)")
    hid_chan: int = _argument(512, "channels inside a block (H)")
    skip_chan: int = _argument(0, "channels of the skip connections (Sc), 0 for none")
    conv_kernel_size: int = _argument(3, "kernel of the blocks (P)")
    n_blocks: int = _argument(10, "blocks in a repeat (X)")
    n_repeats: int = _argument(4, "repeats (R)")
    norm_type: str = _argument("gLN", "norm of the blocks")
    bottleneck_norm: str = _argument("cLN", "norm before the bottleneck")
    bias: bool = _argument(False, "biases in the convolutions")
    mask_prelu: bool = _argument(False, "PReLU before the masks")
    mask_act: str = _argument("relu", "activation of the masks")
    encoder_activation: str = _argument("relu", "activation of the encoder")

    def __post_init__(self):
        check_arguments(type(self), **self.arguments())
        check_sizes(n_filters=self.n_filters, bn_chan=self.bn_chan, hid_chan=self.hid_chan)
        check_sizes(n_blocks=self.n_blocks, n_repeats=self.n_repeats)
        check_sizes(kernel_size=self.kernel_size, conv_kernel_size=self.conv_kernel_size)
        if not 1 <= self.hop <= self.kernel_size:
            raise ValueError(
                f"Expected a stride from 1 to kernel_size {self.kernel_size}, got {self.hop}."
            )
        if self.conv_kernel_size % 2 == 0:
            raise ValueError(f"Expected an odd conv_kernel_size, got {self.conv_kernel_size}.")

    @property
    def hop(self) -> int:
        """Samples between two frames."""
        return self.kernel_size // 2 if self.stride is None else self.stride

    def arguments(self) -> dict:
        """What makes an equal description, by name."""
        return dataclasses.asdict(self)

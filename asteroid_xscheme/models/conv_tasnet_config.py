"""The arguments of a Conv-TasNet: one immutable description that models and options share."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Optional


def _argument(default: Any, explanation: str) -> Any:
    """A field with a default and a one-line explanation, which is `help` in its metadata."""
    return dataclasses.field(default=default, metadata={"help": explanation})


@dataclass(frozen=True)
class ConvTasNetConfig:
    """One Conv-TasNet; the letters are the paper's.

    Attributes:
        n_filters: N, channels of the encoder.
        kernel_size: L, samples of a filter.
        stride: Samples from one frame to the next; None for half of `kernel_size`.
        bn_chan: B, channels of the residual stream.
        hid_chan: H, channels inside a block.
        skip_chan: Sc, channels of the skip connections; 0 for none.
        conv_kernel_size: P, taps of the depthwise convolutions; must be odd.
        n_blocks: X, blocks per repeat, with dilations 1, 2, 4, ...
        n_repeats: R, repeats of the blocks.
        norm_type: Norm in the blocks, a name of `asteroid.masknn.norms`.
        bottleneck_norm: Norm of the encoding before the bottleneck.
        bias: Whether the separator's convolutions have biases; encoder and decoder have none.
        mask_prelu: Whether a PReLU precedes the mask's convolution.
        mask_act: Activation of the masks, a name of `asteroid.masknn.activations`.
        encoder_activation: Activation of the encoding.

    Raises:
        ValueError: If `conv_kernel_size` is even, or the stride would skip samples.
    """

    n_filters: int = _argument(256, "number of filters of the encoder (N)")
    kernel_size: int = _argument(20, "length of these filters in samples (L)")
    stride: Optional[int] = _argument(
        None, "hop of these filters in samples (none: half their length)"
    )
    bn_chan: int = _argument(256, "channels of the bottleneck (B)")
    hid_chan: int = _argument(512, "channels inside a block (H)")
    skip_chan: int = _argument(0, "channels of the skip connections (Sc); 0: no skip connections")
    conv_kernel_size: int = _argument(3, "kernel size of the blocks (P)")
    n_blocks: int = _argument(10, "number of blocks in a repeat (X)")
    n_repeats: int = _argument(4, "number of repeats (R)")
    norm_type: str = _argument("gLN", "normalisation in the blocks")
    bottleneck_norm: str = _argument("cLN", "normalisation before the bottleneck")
    bias: bool = _argument(False, "use biases in the convolutions")
    mask_prelu: bool = _argument(False, "use a PReLU before the masks")
    mask_act: str = _argument("relu", "activation of the masks")
    encoder_activation: str = _argument("relu", "activation of the encoder")

    def __post_init__(self):
        if not 1 <= self.hop <= self.kernel_size:
            raise ValueError(
                f"Expected a stride from 1 to kernel_size {self.kernel_size}, got {self.hop}."
            )
        if self.conv_kernel_size % 2 == 0:
            raise ValueError(f"Expected an odd conv_kernel_size, got {self.conv_kernel_size}.")

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return self.kernel_size // 2 if self.stride is None else self.stride

    def arguments(self) -> dict:
        """The arguments that make an equal description, by name."""
        return dataclasses.asdict(self)

"""Building blocks of D3Net, from the dilated convolution to the path over several scales.

Every layer of a D2 block is a *multidilated* convolution: it reads all layers before it, each
with its own 3 x 3 kernels, and the dilation of a kernel depends on which layer it reads, 1 for the
block's input and 2^i for layer i. A D3 block is a dense chain of D2 blocks. A path runs D3 blocks
over smaller and smaller maps and back up.

Feature maps are (batch, channel, frame, bin).

Reference:
    [1] N. Takahashi and Y. Mitsufuji, "D3Net: Densely connected multidilated DenseNet for music
        source separation", arXiv 2010.01733. What it leaves open follows the network that its
        authors published.
"""

from contextlib import contextmanager, nullcontext
from typing import Iterator, Sequence, Union, cast

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from .d3net_config import PathConfig


class DilatedUnit(nn.Module):
    """BatchNorm, ReLU and a 3 x 3 convolution that keeps the size of the map.

    Args:
        in_channels, out_channels: Channels of the maps.
        dilation: Distance of the kernel's taps in frames and bins.
    """

    norm: nn.Module  # the identity in a folded unit

    def __init__(self, in_channels: int, out_channels: int, dilation: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=dilation, dilation=dilation)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, in_channels, N, F) -> (B, out_channels, N, F)."""
        return self.conv(F.relu(self.norm(features), inplace=True))


class DenseSum(nn.Module):
    """Dense chain in which every link adds its share to the inputs of all links after it.

    The first link reads the input and makes one group of `growth` channels for each of the n
    links that follow it, itself included; link i reads the completed group i and adds to the
    groups after it. The last group is the output. This convolves each group once for all its
    readers, which is a dense block on concatenated groups, written by source.
    """

    def __init__(self, growth: int, links: Sequence["Link"]):
        super().__init__()
        self.growth = growth
        self.links = cast(Sequence["Link"], nn.ModuleList(links))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, in_channels, N, F) -> (B, channels of the last group or groups, N, F)."""
        pending = self.links[0](features)
        for i, link in enumerate(self.links[1:], 1):
            sizes = [self.growth, self.growth * (len(self.links) - i)]
            group, pending = pending.split(sizes, dim=1)
            # a gradient needs a copy of the group, which is small, but none of the rest
            pending = link(group.clone()).add_(pending)
        return pending


Link = Union[DilatedUnit, DenseSum]


class D2Block(DenseSum):
    """Dense block of L multidilated convolutions; its output is the last layer's, as in [1].

    Layer i is read with dilation 2^i by all layers after it; the input counts as layer 0.

    Args:
        in_channels: Channels of the input.
        growth: Channels g of every layer and of the output.
        n_layers: Number of layers L.
    """

    def __init__(self, in_channels: int, growth: int, n_layers: int):
        first = DilatedUnit(in_channels, growth * n_layers, dilation=1)
        units = [DilatedUnit(growth, growth * (n_layers - i), 2**i) for i in range(1, n_layers)]
        super().__init__(growth, [first, *units])


class D3Block(DenseSum):
    """Dense chain of M D2 blocks; its output is the last block's, as in [1].

    Args:
        in_channels: Channels of the input.
        growth: Channels k of every D2 block's share and of the output.
        n_layers: Layers L of each D2 block.
        n_blocks: Number M of D2 blocks.
    """

    def __init__(self, in_channels: int, growth: int, n_layers: int, n_blocks: int):
        first = D2Block(in_channels, growth * n_blocks, n_layers)
        rest = [D2Block(growth, growth * (n_blocks - m), n_layers) for m in range(1, n_blocks)]
        super().__init__(growth, [first, *rest])
        self.recompute = False

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, in_channels, N, F) -> (B, growth, N, F).

        With `recompute` the block keeps only its input for the backward pass and computes the
        rest anew there: less memory, a third more computation.
        """
        if not (self.recompute and self.training and torch.is_grad_enabled()):
            return super().forward(features)
        contexts = (nullcontext(), _unmoved_statistics(self))
        return checkpoint(
            super().forward, features, use_reentrant=False, context_fn=lambda: contexts
        )


class Upsampling(nn.Module):
    """BatchNorm and a transposed convolution that doubles both axes of the map."""

    norm: nn.Module  # the identity in a folded path

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.conv = nn.ConvTranspose2d(channels, channels, 2, stride=2)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, C, N, F) -> (B, C, 2N, 2F)."""
        return self.conv(self.norm(features))


class MultiScalePath(nn.Module):
    """D3 blocks on maps of one band: down by pooling, up by transposed convolutions.

    Each block on the way up also reads the map that the block of its size left on the way down.

    Args:
        in_channels: Channels of the spectrogram.
        config: The path's configuration.
        out_channels: Channels to return, where they differ from the last block's `growth`.
    """

    def __init__(self, in_channels: int, config: PathConfig, out_channels: int):
        super().__init__()
        growth, depth = config.growth, config.depth
        skips = growth[:depth][::-1]
        before = growth[depth:-1]  # channels that each upsampling reads
        inputs = (config.init_channels, *growth[:depth], *map(sum, zip(before, skips)))
        self.depth = depth
        self.init = nn.Conv2d(in_channels, config.init_channels, 3, padding=1)
        blocks = map(D3Block, inputs, growth, config.layers, config.blocks)
        self.blocks = cast(Sequence[D3Block], nn.ModuleList(blocks))
        upsamplings = map(Upsampling, before)
        self.upsamplings = cast(Sequence[Upsampling], nn.ModuleList(upsamplings))
        self.match: nn.Module = nn.Identity()
        if out_channels != growth[-1]:
            self.match = nn.Sequential(
                nn.BatchNorm2d(growth[-1]), nn.Conv2d(growth[-1], out_channels, 1)
            )

    def first_block(self, features: torch.Tensor) -> torch.Tensor:
        """Output of the first D3 block."""
        return self.blocks[0](features)

    def after_first_block(self, own: torch.Tensor, shared: torch.Tensor) -> torch.Tensor:
        """The path behind its first block.

        Args:
            own: Output of the first block, kept for the way up.
            shared: What goes down in its stead, the mean over the sources at an open bridge.

        Returns:
            (B, out_channels, N, F)
        """
        features, skips = shared, [own]
        for block in self.blocks[1 : self.depth + 1]:
            features = block(F.avg_pool2d(features, 2))
            skips.append(features)
        skips.pop()
        for upsampling, block in zip(self.upsamplings, self.blocks[self.depth + 1 :]):
            features = block(torch.cat([upsampling(features), skips.pop()], dim=1))
        return self.match(features)

    def forward(self, spectrogram: torch.Tensor) -> torch.Tensor:
        """(B, in_channels, N, F) -> (B, out_channels, N, F); N, F divisible by 2^depth."""
        own = self.first_block(self.init(spectrogram))
        return self.after_first_block(own, own)


class OutputGate(nn.Module):
    """BatchNorm and the product of a linear map and a gate between 0 and 1, per pixel."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.gate = nn.Conv2d(in_channels, out_channels, 1)
        self.linear = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, in_channels, N, F) -> (B, out_channels, N, F)."""
        features = self.norm(features)
        return torch.sigmoid(self.gate(features)) * self.linear(features)


@contextmanager
def _unmoved_statistics(module: nn.Module) -> Iterator[None]:
    """Within it, a forward pass leaves the running statistics of BatchNorm as they are.

    A recomputed forward pass must see the batch's statistics again but not count it twice.
    """
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    saved = [(norm.momentum, norm.get_buffer("num_batches_tracked").clone()) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, (momentum, n_batches) in zip(norms, saved):
            norm.momentum = momentum
            norm.get_buffer("num_batches_tracked").copy_(n_batches)

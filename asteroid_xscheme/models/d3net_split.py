"""D2 and D3 blocks for inference whose groups of channels are maps of their own.

The groups that a convolution adds to are slices of one wide map in `d3net_blocks`. Here each is a
contiguous map, so that a convolution can add to it while it computes, and no pass over memory is
spent on sums.
"""

from typing import Iterator, Sequence, Tuple, cast

import torch
import torch.nn.functional as F
from torch import nn

from .d3net_blocks import D2Block, D3Block, DilatedUnit
from .torch_kernels import add_convolution


class SplitD2Block(nn.Module):
    """A folded D2 block: all but the input is normalised already.

    Args:
        block: The block.
    """

    def __init__(self, block: D2Block):
        super().__init__()
        self.growth = block.growth
        units = cast(Sequence[DilatedUnit], block.links)
        self.norm = units[0].norm
        convs = nn.ModuleList(unit.conv for unit in units)
        self.convs = cast(Sequence[nn.Conv2d], convs)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, in_channels, N, F) -> (B, growth, N, F)."""
        features = F.relu(self.norm(features))
        first, *others = self.convs
        groups = [F.conv2d(features, *kernels, padding=1) for kernels in self._by_group(first)]
        for i, conv in enumerate(others):
            group = groups[i].relu_()
            for total, kernels in zip(groups[i + 1 :], self._by_group(conv)):
                add_convolution(total, group, *kernels, conv.dilation)
        return groups[-1]

    def _by_group(self, conv: nn.Conv2d) -> Iterator[Tuple[torch.Tensor, torch.Tensor]]:
        """Weight and bias that make each group of a convolution's output."""
        return zip(conv.weight.split(self.growth), conv.get_parameter("bias").split(self.growth))


class SplitD3Block(nn.Module):
    """A folded D3 block of such D2 blocks.

    Args:
        block: The block.
    """

    def __init__(self, block: D3Block):
        super().__init__()
        self.growth = block.growth
        links = cast(Sequence[D2Block], block.links)
        self.links = nn.ModuleList(map(SplitD2Block, links))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, in_channels, N, F) -> (B, growth, N, F)."""
        pending = self.links[0](features)
        for link in self.links[1:]:
            group, rest = pending[:, : self.growth], pending[:, self.growth :]
            # torch adds slices in bfloat16 far slower than it copies them
            pending = link(group).add_(rest.contiguous(memory_format=torch.channels_last))
        return pending

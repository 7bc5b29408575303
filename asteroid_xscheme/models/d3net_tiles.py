"""D2 blocks for inference that never hold more than one large map.

A D2 block writes many channels, and each of its layers would allocate, add and free maps of
hundreds of megabytes. Here all layers add into one map, a few frames at a time, so that
intermediate values stay in the processor's cache.
"""

import threading
from typing import Callable, Sequence, cast

import torch
import torch.nn.functional as F
from torch import nn

TILE_BYTES = 16 << 20  # of a tile's output: measured best, half of a 32 MB cache
_AS_IT_IS = nn.Identity()


class Workspace(threading.local):
    """Memory for the one large map, reused by all blocks of a model, which run one at a time.

    Each thread has its own, so several threads can run one model.
    """

    def __init__(self):
        self._memory = torch.empty(0)

    def __deepcopy__(self, memo: dict) -> "Workspace":
        return Workspace()

    def take(self, shape: Sequence[int], like: torch.Tensor) -> torch.Tensor:
        """An uninitialised map (B, C, N, F), channels last; it overwrites the previous one."""
        n_batch, n_channels, n_frames, n_bins = shape
        size = n_batch * n_channels * n_frames * n_bins
        kind = (self._memory.dtype, self._memory.device)
        if self._memory.numel() < size or kind != (like.dtype, like.device):
            self._memory = like.new_empty(size)
        flat = self._memory[:size].view(n_batch, n_frames, n_bins, n_channels)
        return flat.permute(0, 3, 1, 2)


class TiledD2Block(nn.Module):
    """A folded D2 block, computed tile by tile in a workspace.

    Args:
        norm: Normalisation of the input, or the identity.
        convs: The convolution of each layer; inputs of all but the first are normalised already.
        growth: Channels of a layer.
        workspace: Shared by all blocks of a model.
        tile_bytes: The most bytes that a tile writes, unless one frame has more.
    """

    def __init__(
        self,
        norm: nn.Module,
        convs: Sequence[nn.Conv2d],
        growth: int,
        workspace: Workspace,
        tile_bytes: int = TILE_BYTES,
    ):
        super().__init__()
        self.norm = norm
        self.convs = cast(Sequence[nn.Conv2d], nn.ModuleList(convs))
        self.growth = growth
        self.workspace = workspace
        self.tile_bytes = tile_bytes

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, in_channels, N, F) -> (B, channels of the last convolution, N, F)."""
        if torch.jit.is_tracing():  # a graph would keep the tiles of the frames that it is made of
            return self._at_once(features)
        n_batch, _, n_frames, n_bins = features.shape
        shape = (n_batch, self.convs[0].out_channels, n_frames, n_bins)
        pending = self.workspace.take(shape, features)
        self._convolve(self.convs[0], self.norm, features, pending, torch.Tensor.copy_)
        for conv in self.convs[1:]:
            group, pending = pending[:, : self.growth], pending[:, self.growth :]
            self._convolve(conv, _AS_IT_IS, group, pending, torch.Tensor.add_)
        return pending.clone(memory_format=torch.channels_last)

    def _at_once(self, features: torch.Tensor) -> torch.Tensor:
        pending = self.convs[0](F.relu(self.norm(features)))
        for conv in self.convs[1:]:
            group, pending = pending[:, : self.growth], pending[:, self.growth :]
            pending = conv(F.relu(group)) + pending
        return pending

    def _convolve(
        self,
        conv: nn.Conv2d,
        norm: nn.Module,
        source: torch.Tensor,
        target: torch.Tensor,
        put: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    ) -> None:
        """put(target, conv(relu(norm(source)))), a tile of frames at a time."""
        n_frames, reach = source.shape[2], conv.dilation[0]
        frame_bytes = target[:, :, :1].numel() * target.element_size()
        n_tile = max(1, self.tile_bytes // frame_bytes)
        for start in range(0, n_frames, n_tile):
            stop = min(start + n_tile, n_frames)
            low, high = max(0, start - reach), min(n_frames, stop + reach)
            tile = F.relu(norm(source[:, :, low:high]))
            missing = (low - (start - reach), stop + reach - high)
            if any(missing):
                tile = F.pad(tile, (0, 0, *missing))
            tile = F.conv2d(tile, conv.weight, conv.bias, padding=(0, reach), dilation=reach)
            put(target[:, :, start:stop], tile)

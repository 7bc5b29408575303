"""A trained D3Net -> the same network for inference, with most of its BatchNorm gone.

A D2 or D3 block completes a group of channels, normalises it, applies ReLU and convolves it. No
other part reads the group, so that its normalisation, in inference an affine map per channel, can
be put into the weights and biases of the convolutions whose outputs add up to it. The same holds
for what an upsampling reads. What is left are the normalisations of block inputs that are also
kept for the way up or pooled.
"""

from copy import deepcopy
from typing import Any, List, Sequence, Tuple, cast

import torch
from torch import nn

from .d3net import D3Net
from .d3net_blocks import DenseSum, Link, MultiScalePath
from .d3net_split import SplitD2Block, SplitD3Block

ScaleShift = Tuple[torch.Tensor, torch.Tensor]  # of each channel


@torch.no_grad()
def fold_networks(networks: Sequence[D3Net]) -> List[D3Net]:
    """Copies in eval mode whose estimates equal those of the networks, up to rounding.

    On a CPU their convolutions lay the maps out with the channels last, which halves their time,
    and write each group of channels into a map of its own (see `d3net_split`).
    """
    return [_fold_network(network) for network in networks]


def _fold_network(network: D3Net) -> D3Net:
    folded = deepcopy(network).requires_grad_(False)
    for path in folded.paths:
        _fold_path(path)
    _fold_dense(folded.final_block)
    if folded.in_scale.device.type == "cpu":
        for path in folded.paths:
            path.blocks = cast(Any, nn.ModuleList(map(SplitD3Block, path.blocks)))
        folded.final_block = cast(Any, SplitD2Block(folded.final_block))
        # torch's types leave this documented argument out
        folded.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return folded.eval()


def _fold_path(path: MultiScalePath) -> None:
    for block in path.blocks:
        _fold_dense(block)
    for block, upsampling in zip(path.blocks[path.depth :], path.upsamplings):
        affine = _affine(upsampling.norm)
        _map_outputs(block, 0, len(affine[0]), affine)
        upsampling.norm = nn.Identity()


def _fold_dense(dense: DenseSum) -> None:
    """Put the normalisation of every group but the input into the links that make the group."""
    for link in dense.links:
        if isinstance(link, DenseSum):
            _fold_dense(link)
    for i in range(1, len(dense.links)):
        affine = _take_norm(dense.links[i])
        for j in range(i):
            start = (i - j - 1) * dense.growth
            _map_outputs(
                dense.links[j], start, dense.growth, affine if j == 0 else _no_shift(affine)
            )


def _take_norm(link: Link) -> ScaleShift:
    """Remove the normalisation of a link's input, which is a group, and return it."""
    if isinstance(link, DenseSum):
        return _take_norm(link.links[0])
    affine = _affine(link.norm)
    link.norm = nn.Identity()
    return affine


def _map_outputs(link: Link, start: int, count: int, affine: ScaleShift) -> None:
    """Make `link` return its output channels [start, start + count) mapped by `affine`.

    The output of a dense sum is the end of what each of its links returns, added up.
    """
    if not isinstance(link, DenseSum):
        scale, shift = affine
        rows = slice(start, start + count)
        bias = link.conv.get_parameter("bias")
        link.conv.weight[rows] *= scale[:, None, None, None]
        bias[rows] = bias[rows] * scale + shift
        return
    n_outputs = _n_outputs(link.links[-1])
    for j, part in enumerate(link.links):
        offset = _n_outputs(part) - n_outputs
        _map_outputs(part, offset + start, count, affine if j == 0 else _no_shift(affine))


def _n_outputs(link: Link) -> int:
    return _n_outputs(link.links[-1]) if isinstance(link, DenseSum) else link.conv.out_channels


def _affine(norm: nn.Module) -> ScaleShift:
    """What a BatchNorm does to each channel in inference."""
    norm = cast(nn.BatchNorm2d, norm)
    scale = norm.weight / (norm.get_buffer("running_var") + norm.eps).sqrt()
    return scale, norm.bias - norm.get_buffer("running_mean") * scale


def _no_shift(affine: ScaleShift) -> ScaleShift:
    return affine[0], torch.zeros_like(affine[1])

"""Multiply-accumulates (MAC) of a D3Net's convolutions, counted from its configuration.

One MAC is one multiplication and one addition. Normalisations and gates, under 2 % of the work,
are left out.
"""

from typing import Sequence

from .d3net_config import D3NetConfig, PathConfig

_TAPS = 9  # of a 3 x 3 kernel


def patch_macs(config: D3NetConfig, n_frames: int, n_channels: int = 2) -> int:
    """MAC of the network on `n_frames` frames, a multiple of `config.pooling`.

    >>> from .d3net_config import OFFICIAL
    >>> round(patch_macs(OFFICIAL["vocals"], 256) / 1e9)
    120
    """
    full_channels = config.full.growth[-1]
    paths = [
        *((band, config.band_channels) for band in config.bands),
        (config.full, full_channels),
    ]
    widths = (*config.band_widths, config.valid_bins)
    macs = sum(
        n_frames * width * _path_macs_per_pixel(path, n_channels, out_channels)
        for (path, out_channels), width in zip(paths, widths)
    )
    joined = config.band_channels + full_channels
    per_pixel = _d2_macs(joined, config.final_growth, config.final_layers)
    per_pixel += 2 * config.final_growth * n_channels  # gate and linear map
    return int(macs) + n_frames * config.valid_bins * per_pixel


def macs_per_second(
    configs: Sequence[D3NetConfig], hop: int, sample_rate: float, n_channels: int = 2
) -> float:
    """MAC per second of audio that is separated in overlapping patches by one network each."""
    frames_per_second = sample_rate / hop
    return sum(
        patch_macs(config, config.patch_frames, n_channels) * frames_per_second / config.patch_shift
        for config in configs
    )


def _path_macs_per_pixel(path: PathConfig, n_channels: int, out_channels: int) -> float:
    """MAC per pixel of the path's largest map; at depth d there are 4^d times fewer pixels."""
    depth, growth = path.depth, path.growth
    macs = float(_TAPS * n_channels * path.init_channels)
    if out_channels != growth[-1]:
        macs += growth[-1] * out_channels
    for i in range(len(growth)):
        level = depth - abs(i - depth)
        inputs = path.init_channels if i == 0 else growth[i - 1]
        if i > depth:
            macs += growth[i - 1] ** 2 / 4**level  # one tap of the upsampling reaches a pixel
            inputs += growth[level]
        macs += _d3_macs(inputs, growth[i], path.layers[i], path.blocks[i]) / 4**level
    return macs


def _d3_macs(in_channels: int, growth: int, n_layers: int, n_blocks: int) -> int:
    rest = sum(_d2_macs(growth, growth * (n_blocks - m), n_layers) for m in range(1, n_blocks))
    return _d2_macs(in_channels, growth * n_blocks, n_layers) + rest


def _d2_macs(in_channels: int, growth: int, n_layers: int) -> int:
    groups_read = n_layers * (n_layers - 1) // 2
    return _TAPS * growth * (in_channels * n_layers + growth * groups_read)

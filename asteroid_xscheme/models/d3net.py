"""D3Net of one source: magnitudes of the mixture in, magnitudes of the source out.

One path per frequency band and one for all bins (see `d3net_blocks`) meet in a final D2 block and
a gate. :func:`estimate_together` runs the networks of several sources in step so that they can be
bridged; a single network is the same with one source.

Reference:
    [1] N. Takahashi and Y. Mitsufuji, "D3Net: Densely connected multidilated DenseNet for music
        source separation", arXiv 2010.01733. What it leaves open follows the network that its
        authors published.
"""

from typing import List, Sequence, Tuple, cast

import torch
import torch.nn.functional as F
from torch import nn

from ..bridge import Bridges
from .d3net_blocks import D2Block, MultiScalePath, OutputGate
from .d3net_config import D3NetConfig

POINTS = ("init", "first_block", "bands", "full", "concat", "final")
_CLOSED = Bridges(False, POINTS, POINTS)


class D3Net(nn.Module):
    """The D3Net of one source [1].

    Args:
        config: The network's configuration.
        n_bins: Number F of bins of the spectrogram.
        n_channels: Number C of its channels.

    Its input is normalised by a trained offset and scale per bin. It estimates the magnitudes of
    the lowest `config.valid_bins` bins; the caller fills in the bins above.
    """

    def __init__(self, config: D3NetConfig, n_bins: int, n_channels: int = 2):
        super().__init__()
        self.config = config
        self.in_offset = nn.Parameter(torch.zeros(n_bins))
        self.in_scale = nn.Parameter(torch.ones(n_bins))
        self.out_scale = nn.Parameter(torch.ones(config.valid_bins))
        self.out_offset = nn.Parameter(torch.ones(config.valid_bins))
        bands = [MultiScalePath(n_channels, band, config.band_channels) for band in config.bands]
        self.bands = cast(Sequence[MultiScalePath], nn.ModuleList(bands))
        self.full = MultiScalePath(n_channels, config.full, config.full.growth[-1])
        joined = config.band_channels + config.full.growth[-1]
        self.final_block = D2Block(joined, config.final_growth, config.final_layers)
        self.output_gate = OutputGate(config.final_growth, n_channels)
        self.apply(_initialize)

    @property
    def paths(self) -> List[MultiScalePath]:
        """The path of each band, then the path of all bins."""
        return [*self.bands, self.full]

    def path_inputs(self, magnitudes: torch.Tensor) -> List[torch.Tensor]:
        """Normalised spectrogram (B, C, N, bins) of each path, out of (B, C, N, F)."""
        valid = self.config.valid_bins
        normalized = (magnitudes[..., :valid] - self.in_offset[:valid]) / self.in_scale[:valid]
        return [*normalized.split(self.config.band_widths, dim=-1), normalized]

    def output(self, features: torch.Tensor) -> torch.Tensor:
        """Magnitudes (B, C, N, valid_bins) of the final block's features."""
        return F.relu(self.output_gate(features) * self.out_scale + self.out_offset)

    def forward(self, magnitudes: torch.Tensor) -> torch.Tensor:
        """Magnitudes (B, C, N, F) of the mixture -> (B, C, N, valid_bins) of the source."""
        return _estimate_in_step([self], magnitudes, _CLOSED)[0]


def estimate_together(
    networks: Sequence[D3Net], magnitudes: torch.Tensor, bridges: Bridges
) -> List[torch.Tensor]:
    """Estimates of several sources by networks that share features at the open bridges.

    Args:
        networks: One network per source.
        magnitudes: The mixture, (B, C, N, F), with any number of frames N.
        bridges: Bridging points out of `POINTS`.

    Returns:
        For each network (B, C, N, valid_bins). Without open bridges each network runs to
        its end, and frees its memory, before the next one starts.
    """
    if not bridges.open:
        return [_estimate_in_step([network], magnitudes, bridges)[0] for network in networks]
    return _estimate_in_step(networks, magnitudes, bridges)


def _estimate_in_step(
    networks: Sequence[D3Net], magnitudes: torch.Tensor, bridges: Bridges
) -> List[torch.Tensor]:
    n_frames = magnitudes.shape[2]
    multiple = max(network.config.pooling for network in networks)
    padded = F.pad(magnitudes, (0, 0, 0, -n_frames % multiple))
    inputs = zip(*(network.path_inputs(padded) for network in networks))
    paths = zip(*(network.paths for network in networks))
    *bands, full = [_run_path(path, x, bridges) for path, x in zip(paths, inputs)]
    features = [torch.cat(of_one_source, dim=-1) for of_one_source in zip(*bands)]
    features = bridges("bands", features)
    features = [torch.cat(pair, dim=1) for pair in zip(features, bridges("full", full))]
    features = bridges("concat", features)
    features = [network.final_block(x) for network, x in zip(networks, features)]
    features = bridges("final", features)
    return [network.output(x)[:, :, :n_frames] for network, x in zip(networks, features)]


def _run_path(
    paths: Tuple[MultiScalePath, ...], inputs: Tuple[torch.Tensor, ...], bridges: Bridges
) -> List[torch.Tensor]:
    """Outputs of the same path of every source."""
    features = bridges("init", [path.init(x) for path, x in zip(paths, inputs)])
    own = [path.first_block(x) for path, x in zip(paths, features)]
    shared = bridges("first_block", own)
    return [path.after_first_block(*pair) for path, *pair in zip(paths, own, shared)]


def _initialize(module: nn.Module) -> None:
    """Initial weights as in the published training."""
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_normal_(module.weight)
        nn.init.zeros_(module.get_parameter("bias"))
    elif isinstance(module, nn.ConvTranspose2d):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.get_parameter("bias"))

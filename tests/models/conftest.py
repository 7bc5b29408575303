"""The small models on which the laws of this folder are checked: one function per model.

A model joins by a function here and a place in `SMALL_MODELS`; then every test with the fixture
`build` runs on it: `build(sources=..., nb_channels=..., bridge=...)` returns a seeded model.
"""

import pytest
import torch

from asteroid_xscheme.models import XConvTasNet, XD3Net, XUMX
from asteroid_xscheme.models import XScheme, XSchemeOfMagnitudes, register_network
from torch import nn

SOURCES = ("bass", "drums", "vocals")


def small_xumx(sources=SOURCES, nb_channels=2, bridge=True, **options):
    sizes = dict(window_length=64, in_chan=64, n_hop=16, hidden_size=8, nb_layers=2, max_bin=25)
    return XUMX(
        list(sources), nb_channels=nb_channels, sample_rate=8000, bridge=bridge, **sizes, **options
    )


def small_x_conv_tasnet(sources=SOURCES, nb_channels=2, bridge=True, **options):
    spectrogram = dict(window_length=64, in_chan=64, n_hop=16)
    sizes = dict(n_filters=12, kernel_size=8, bn_chan=6, hid_chan=10, n_blocks=2, n_repeats=2)
    return XConvTasNet(
        list(sources),
        nb_channels=nb_channels,
        **{"sample_rate": 8000, **spectrogram, **sizes, **options},
        bridge=bridge,
    )


def small_x_d3net(sources=SOURCES, nb_channels=2, bridge=True, **options):
    bands = [
        {"init_channels": 3, "growth": [2, 3, 2], "layers": [2, 2, 1], "blocks": [2, 2, 2]},
        {"init_channels": 2, "growth": [1], "layers": [1], "blocks": [1]},
    ]
    full = {"init_channels": 2, "growth": [2, 2, 2], "layers": [1, 2, 1], "blocks": [1, 2, 1]}
    network = {
        "valid_bins": 24,
        "splits": [8],
        "bands": bands,
        "full": full,
        "final_growth": 2,
        "final_layers": 2,
        "patch_frames": 8,
        "patch_shift": 4,
    }
    sizes = dict(network=network, window_length=64, in_chan=64, n_hop=16)
    return XD3Net(
        list(sources),
        nb_channels=nb_channels,
        bridge=bridge,
        **{"sample_rate": 8000, **sizes, **options},
    )


@register_network
class Filters(nn.Module):
    """Anybody's network of waveforms, (B, C, T) -> (B, 1, C, T)."""

    def __init__(self, n_channels):
        super().__init__()
        self.encoder = nn.Conv1d(n_channels, 6, 5, padding=2)
        self.body = nn.Conv1d(6, 6, 3, padding=1)
        self.decoder = nn.Conv1d(6, n_channels, 5, padding=2)

    def forward(self, wav):
        encoding = torch.tanh(self.encoder(wav))
        return self.decoder(encoding * self.body(encoding).sigmoid())[:, None]


@register_network
class Masks(nn.Module):
    """Anybody's network of magnitudes, (B, C, F, N) -> (B, C, F, N)."""

    def __init__(self, n_bins, n_channels):
        super().__init__()
        self.encoder = nn.Conv1d(n_channels * n_bins, 6, 3, padding=1)
        self.decoder = nn.Conv1d(6, n_channels * n_bins, 3, padding=1)

    def forward(self, magnitudes):
        features = torch.tanh(self.encoder(magnitudes.flatten(1, 2)))
        return self.decoder(features).sigmoid().view_as(magnitudes) * magnitudes


def small_x_scheme(sources=SOURCES, nb_channels=2, bridge=True, **options):
    spectrogram = dict(window_length=64, in_chan=64, n_hop=16)
    args = {"n_channels": nb_channels}
    return XScheme(
        Filters,
        list(sources),
        ["body", "decoder"],
        args,
        nb_channels=nb_channels,
        bridge=bridge,
        **{"sample_rate": 8000, **spectrogram, **options},
    )


def small_x_scheme_of_magnitudes(sources=SOURCES, nb_channels=2, bridge=True, **options):
    sizes = dict(window_length=64, in_chan=64, n_hop=16)
    return XSchemeOfMagnitudes(
        Masks,
        list(sources),
        ["encoder:output", "decoder"],
        {"n_bins": 33, "n_channels": nb_channels},
        nb_channels=nb_channels,
        bridge=bridge,
        **{"sample_rate": 8000, **sizes, **options},
    )


SMALL_MODELS = [small_x_conv_tasnet, small_x_d3net, small_xumx]
SMALL_MODELS += [small_x_scheme, small_x_scheme_of_magnitudes]


def _seeded(build):
    def build_seeded(*args, **options):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return build(*args, **options)

    return build_seeded


@pytest.fixture(params=SMALL_MODELS, ids=lambda build: build.__name__)
def build(request):
    """Function (sources, nb_channels, bridge, ...) -> one of the small models, always the same."""
    return _seeded(request.param)


@pytest.fixture
def trained():
    """Function that moves a model's statistics and affine maps to where training puts them."""

    def move(model):
        with torch.random.fork_rng():
            torch.manual_seed(1)
            for name, value in model.state_dict().items():
                if value.is_floating_point() and value.ndim == 1 and "window" not in name:
                    value.mul_(1 + 0.3 * torch.rand_like(value)).add_(0.1 * torch.rand_like(value))
        return model

    return move

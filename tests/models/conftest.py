"""The small models on which the laws of this folder are checked: one function per model.

A model joins by a function here and a place in `SMALL_MODELS`; then every test with the fixture
`build` runs on it: `build(sources=..., nb_channels=..., bridge=...)` returns a seeded model.
"""

import pytest
import torch

from asteroid_xscheme.models import XUMX

SOURCES = ("bass", "drums", "vocals")


def small_xumx(sources=SOURCES, nb_channels=2, bridge=True, **options):
    sizes = dict(window_length=64, in_chan=64, n_hop=16, hidden_size=8, nb_layers=2, max_bin=25)
    return XUMX(
        list(sources), nb_channels=nb_channels, sample_rate=8000, bridge=bridge, **sizes, **options
    )


SMALL_MODELS = [small_xumx]


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

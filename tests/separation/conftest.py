"""Small models and music for the tests of this folder."""

import importlib.util
from pathlib import Path

import pytest
import torch

from asteroid_xscheme.audio import read_audio
from asteroid_xscheme.models import XD3Net, XUMX, XConvTasNet

SOURCES = ["bass", "drums", "vocals"]


def seeded(build, *args, **options):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build(*args, **options).eval()


@pytest.fixture(scope="session")
def xumx():
    sizes = dict(window_length=1024, in_chan=1024, n_hop=256, hidden_size=16, max_bin=300)
    return seeded(XUMX, SOURCES, nb_layers=1, **sizes)


@pytest.fixture(scope="session")
def mono_xumx():
    sizes = dict(window_length=512, in_chan=512, n_hop=128, hidden_size=8, nb_channels=1)
    return seeded(XUMX, SOURCES, nb_layers=1, **sizes)


@pytest.fixture(scope="session")
def tasnet():
    sizes = dict(n_filters=16, kernel_size=20, bn_chan=8, hid_chan=8, n_blocks=2, n_repeats=1)
    return seeded(XConvTasNet, SOURCES, **sizes)


@pytest.fixture(scope="session")
def d3net():
    part = {"init_channels": 2, "growth": [2], "layers": [1], "blocks": [1]}
    network = {"valid_bins": 48, "splits": [16], "bands": [part, part], "full": part}
    network.update(final_growth=2, final_layers=1, patch_frames=16, patch_shift=8)
    return seeded(XD3Net, SOURCES, network, window_length=256, in_chan=256, n_hop=64)


@pytest.fixture(scope="session")
def d3nets_of_two_patches():
    """Independent networks, the second of which takes longer patches, as the published bass."""
    part = {"init_channels": 2, "growth": [2], "layers": [1], "blocks": [1]}
    network = {"valid_bins": 48, "splits": [16], "bands": [part, part], "full": part}
    network.update(final_growth=2, final_layers=1)
    short = {**network, "patch_frames": 16, "patch_shift": 8}
    long = {**network, "patch_frames": 24, "patch_shift": 12}
    networks = [short, long, short]
    return seeded(XD3Net, SOURCES, networks, window_length=256, in_chan=256, n_hop=64, bridge=False)


@pytest.fixture(scope="session")
def music():
    """Six seconds of a real stereo song at 44.1 kHz."""
    package = importlib.util.find_spec("stempeg")
    if package is None:
        pytest.skip("needs the track that the stempeg package ships")
    path = next(Path(package.origin).parent.glob("data/*.stem.mp4"))
    return read_audio(path)[0]


@pytest.fixture
def error_db():
    """Function (estimate, reference) -> energy of the difference in dB of the reference's."""

    def measure(estimate, reference):
        difference = (estimate - reference).double().square().sum()
        return float(10 * torch.log10(difference / reference.double().square().sum()))

    return measure

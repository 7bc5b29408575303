"""A folder of tiny songs and the options of a training that takes a second."""

import numpy as np
import pytest
import soundfile

from asteroid_xscheme.recipes.config import Config
from tests.hub_server import hub_server  # noqa: F401 - a fixture

RATE = 8000
SOURCES = ["bass", "drums", "vocals", "other"]
VALID = {"long": 2.0, "short": 0.5}  # seconds


@pytest.fixture(scope="session", autouse=True)
def user_cache(tmp_path_factory):
    """A cache of the tests' own instead of the user's, for child processes too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def write_track(folder, seconds, seed):
    """Four sources of noise, each in a band of its own, and their mixture."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(seed)
    sources = 0.1 * generator.standard_normal((len(SOURCES), int(seconds * RATE), 2))
    for name, source in zip([*SOURCES, "mixture"], [*sources, sources.sum(0)]):
        soundfile.write(folder / f"{name}.wav", source.clip(-1, 1), RATE, subtype="PCM_16")


@pytest.fixture(scope="session")
def songs(tmp_path_factory):
    """Six tracks to train on, two to validate with, one to test on; not to be changed."""
    root = tmp_path_factory.mktemp("songs")
    for seed, name in enumerate("abcdef"):
        write_track(root / "train" / name, 1.0, seed)
    for seed, (name, seconds) in enumerate(VALID.items()):
        write_track(root / "train" / name, seconds, 10 + seed)
    write_track(root / "test" / "t", 1.5, 20)
    return root


MODELS = {
    "XUMX": {
        "window_length": 64,
        "in_chan": 64,
        "nhop": 16,
        "hidden_size": 8,
        "nb_layers": 2,
        "bandwidth": 3000,
    },
    "XD3Net": {"network": "small", "window_length": 64, "in_chan": 64, "nhop": 16},
    "XConvTasNet": {
        "n_filters": 8,
        "bn_chan": 4,
        "hid_chan": 8,
        "n_blocks": 2,
        "n_repeats": 2,
        "window_length": 64,
        "in_chan": 64,
        "nhop": 16,
    },
    "XScheme": {
        "network": "asteroid.models:ConvTasNet",
        "network_args": {
            **{"n_src": 1, "n_filters": 8, "kernel_size": 8, "stride": 4, "n_blocks": 2},
            **{"n_repeats": 1, "bn_chan": 4, "hid_chan": 8, "skip_chan": 4, "mask_act": "relu"},
        },
        "points": ["masker.TCN.0", "masker.mask_net"],
        "window_length": 64,
        "in_chan": 64,
        "nhop": 16,
        "nb_channels": 1,
    },
}


@pytest.fixture
def make_config(songs):
    """A function from groups of options to a `Config` whose epoch takes a moment."""

    def make(architecture="XUMX", **groups):
        base = {
            "model": {"architecture": architecture, **MODELS[architecture]},
            "data": {
                "dataset": "folder",
                "train_dir": [str(songs)],
                "valid_tracks": list(VALID),
                "sample_rate": RATE,
                "seq_dur": 0.25,
                "samples_per_track": 2,
                "num_workers": 0,
            },
            "training": {"epochs": 2, "batch_size": 4, "val_dur": 0.75, "accelerator": "cpu"},
            "evaluation": {"eval_jobs": 1, "eval_device": "cpu"},
        }
        for name, options in groups.items():
            base[name] = {**base.get(name, {}), **options}
        return Config.from_dict(base)

    return make

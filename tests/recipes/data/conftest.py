"""Small folders of songs in the layout of MUSDB18-HQ."""

import shutil

import pytest
import torch

from asteroid_xscheme.audio import write_audio
from asteroid_xscheme.recipes.config import DataConfig

RATE = 8000
SOURCES = ["bass", "drums", "vocals", "other"]


def write_track(
    folder, sources=SOURCES, n_samples=RATE, channels=2, rate=RATE, subtype="PCM_16", mixture=True
):
    """Write a track of noise that its name determines; its sources (J, C, T)."""
    folder.mkdir(parents=True)
    generator = torch.Generator().manual_seed(sum(map(ord, folder.name)))
    shape = (len(sources), channels, n_samples)
    waveforms = torch.randint(-6000, 6000, shape, generator=generator) / 2.0**15
    for name, waveform in zip(sources, waveforms):
        write_audio(folder / f"{name}.wav", waveform, rate, subtype)
    if mixture:
        write_audio(folder / "mixture.wav", waveforms.sum(0), rate, subtype)
    return waveforms


@pytest.fixture
def make_track():
    """The function `write_track`."""
    return write_track


@pytest.fixture(scope="session")
def songs(tmp_path_factory):
    """A folder with the tracks a to f in train/ and t in test/; not to be changed."""
    folder = tmp_path_factory.mktemp("data") / "songs"
    for name in "fbdace":
        write_track(folder / "train" / name)
    write_track(folder / "test" / "t")
    return folder


@pytest.fixture
def root(songs, tmp_path):
    """A copy of `songs` of one's own."""
    return shutil.copytree(songs, tmp_path / "songs")


@pytest.fixture
def make_config(root):
    """A function from options to the options of the data, for `root` by default."""

    def make(**options):
        defaults = dict(
            dataset="folder",
            train_dir=[str(root)],
            valid_tracks=["b", "e"],
            sample_rate=RATE,
            sources=SOURCES,
            seq_dur=0.25,
            samples_per_track=5,
            num_workers=0,
        )
        return DataConfig(**{**defaults, **options})

    return make

"""Small folders of songs in the layout of MUSDB18-HQ."""

import pytest
import torch

from asteroid_xscheme.audio import write_audio
from asteroid_xscheme.config import DataConfig

RATE = 8000
SOURCES = ["bass", "drums", "vocals", "other"]


@pytest.fixture
def make_track():
    """A function that writes a track of noise and returns its sources (J, C, T)."""

    def make(
        folder,
        sources=SOURCES,
        n_samples=RATE,
        channels=2,
        rate=RATE,
        subtype="PCM_16",
        mixture=True,
    ):
        folder.mkdir(parents=True)
        generator = torch.Generator().manual_seed(sum(map(ord, folder.name)))
        shape = (len(sources), channels, n_samples)
        waveforms = torch.randint(-6000, 6000, shape, generator=generator) / 2.0**15
        for name, waveform in zip(sources, waveforms):
            write_audio(folder / f"{name}.wav", waveform, rate, subtype)
        if mixture:
            write_audio(folder / "mixture.wav", waveforms.sum(0), rate, subtype)
        return waveforms

    return make


@pytest.fixture
def root(tmp_path, make_track):
    """A folder with the tracks a to f in train/ and t in test/."""
    for name in "fbdace":
        make_track(tmp_path / "songs" / "train" / name)
    make_track(tmp_path / "songs" / "test" / "t")
    return tmp_path / "songs"


@pytest.fixture
def make_config(root):
    """A function from options to the options of the data, for `root` unless told otherwise."""

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

"""A song of 2.5 s: three sources of noise and their mixture."""

import numpy as np
import pytest
import torch

from asteroid_xscheme.separation import song_of_waveform

RATE = 8000


@pytest.fixture(scope="session")
def waveforms():
    """(source, T, C) in steps of 16 bits, so that files of integers hold them exactly."""
    generator = np.random.default_rng(0)
    steps = np.rint(3000 * generator.standard_normal((3, 20_000, 2))).clip(-9000, 9000)
    return (steps / 2**15).astype(np.float32)


@pytest.fixture
def songs(waveforms):
    """By name, the sources as songs."""
    return {name: song_of(waveform) for name, waveform in zip("abc", waveforms)}


def song_of(waveform):
    """A song of (T, C)."""
    return song_of_waveform(torch.from_numpy(waveform.T.copy()), RATE)

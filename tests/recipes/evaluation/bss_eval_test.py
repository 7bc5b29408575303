"""The fast BSSEval against museval, on audio that is real, short, mono, silent or degenerate."""

import numpy as np
import pytest
from scipy.signal import lfilter

from asteroid_xscheme.audio import read_audio
from asteroid_xscheme.recipes.data.real_track import find_real_track
from asteroid_xscheme.recipes.evaluation import BSS_EVAL, Waveforms

WINDOW = 4000
TOLERANCE = 1e-3  # dB
HIGHEST = 100  # dB: above it, the error is a difference of energies whose digits are rounded away


def waveforms(signals):
    """Waveforms of an array (J, C, T)."""
    return Waveforms.of_arrays({f"source {j}": signal.T for j, signal in enumerate(signals)})


def score(name, references, estimates, window=WINDOW):
    return BSS_EVAL[name](waveforms(references), waveforms(estimates), window)


def perturbed(signals, seed):
    noise = np.random.default_rng(seed).standard_normal(signals.shape)
    return signals * (1 + 1e-12 * noise)


def assert_equal(references, estimates, window=WINDOW):
    """Assert that all scores of all frames are equal, and return them."""
    fast = score("fast", references, estimates, window)
    assert_close(fast, score("museval", references, estimates, window))
    return fast


def assert_close(fast, expected):
    """Assert equality in dB, or that both are beyond the precision of the arithmetic."""
    fast, expected = (np.minimum(scores, HIGHEST) for scores in (fast, expected))
    np.testing.assert_allclose(fast, expected, rtol=0, atol=TOLERANCE)


def assert_equal_where_stable(references, estimates, window=WINDOW):
    """SDR and ISR of every frame, SIR and SAR where museval agrees with itself; returns where.

    Where delayed references nearly depend on each other, rounding moves museval's SIR and SAR; a
    perturbation of its input by 1e-12 shows how far (within a factor of 4: it is one draw).
    """
    fast = score("fast", references, estimates, window)
    expected = score("museval", references, estimates, window)
    again = score("museval", perturbed(references, 1), perturbed(estimates, 2), window)
    stable = abs(again - expected) < TOLERANCE / 4
    assert_close(fast[:2], expected[:2])
    assert_close(fast[stable], expected[stable])
    return stable


@pytest.fixture
def references():
    """Two coloured noises (2, 2, T) whose last frame of a second is incomplete."""
    noise = np.random.default_rng(0).standard_normal((2, 2, 3 * WINDOW + 1234))
    return lfilter([1], [1, -0.9], noise)


@pytest.fixture
def estimates(references):
    noise = np.random.default_rng(1).standard_normal(references.shape)
    return references + 0.1 * references[::-1] + 0.5 * noise


def test_scores_of_noise_equal_musevals(references, estimates):
    assert assert_equal(references, estimates).shape == (4, 2, 3)


def test_scores_of_mono_equal_musevals(references, estimates):
    assert_equal(references[:, :1], estimates[:, :1])


@pytest.mark.parametrize("n_samples", [300, 900])
def test_scores_of_tracks_shorter_than_a_window_equal_musevals(references, estimates, n_samples):
    stable = assert_equal_where_stable(references[:, :1, :n_samples], estimates[:, :1, :n_samples])
    assert stable.shape == (4, 2, 1)


@pytest.mark.parametrize("which", ["reference", "estimate"])
def test_frames_where_a_source_is_silent_are_not_scored(references, estimates, which):
    silenced = references if which == "reference" else estimates
    silenced[1, :, WINDOW : 2 * WINDOW] = 0
    fast = assert_equal(references[:, :1], estimates[:, :1])
    assert np.isnan(fast[..., 1]).all() and not np.isnan(fast[..., [0, 2]]).any()


def test_channels_that_cancel_count_as_silence_as_in_museval(references, estimates):
    references[1, 1, :WINDOW] = -references[1, 0, :WINDOW]
    assert np.isnan(assert_equal(references, estimates)[..., 0]).all()


def test_scores_with_a_silent_channel_equal_musevals(references, estimates):
    references[0, 1] = 0
    assert_equal(references, estimates)


def test_scores_of_identical_channels_equal_musevals(references, estimates):
    references[:, 1] = references[:, 0]
    assert_equal(references, estimates)


def test_scores_of_identical_sources_equal_musevals_least_squares(references, estimates):
    """The matrix of correlations is exactly singular."""
    references[1] = references[0]
    assert_equal_where_stable(references[:, :1], estimates[:, :1])


def test_scores_of_perfect_estimates_exceed_any_audible_level(references):
    sdr, *others = score("fast", references, references)
    assert np.isposinf(sdr).all()
    assert np.min(others) > 200


@pytest.fixture(scope="module")
def real_sources():
    """Two sources (2, C, T) of 1.5 seconds of a real track, decoded from AAC."""
    stem_file = find_real_track()
    streams = [read_audio(stem_file, 100000, 66150, stream=index)[0] for index in (1, 4)]
    return np.stack([stream.double().numpy() for stream in streams])


def test_scores_of_real_audio_equal_musevals(real_sources):
    estimates = 0.8 * real_sources + 0.3 * np.tanh(real_sources[::-1])
    stable = assert_equal_where_stable(real_sources, estimates, window=22050)
    assert stable[:2].all() and stable.mean() > 0.8


def test_scores_of_real_16_bit_audio_equal_musevals_in_every_frame(real_sources):
    references = np.round(real_sources * 32768) / 32768
    estimates = np.round((0.8 * references + 0.3 * np.tanh(references[::-1])) * 32768) / 32768
    assert_equal(references, estimates, window=22050)

"""The multichannel Wiener filter: the originals' numbers, and the laws of separation."""

from pathlib import Path

import numpy as np
import pytest
import torch

from asteroid_xscheme.dsp.local_gaussian_model import Floors, filter_mixture
from asteroid_xscheme.dsp.wiener import wiener, wiener_one_pass
from asteroid_xscheme.dsp.wiener_stereo import Magnitudes, Spectrograms, StereoFilter
from tests.rounding import SIGNAL_DB

GOLDEN = Path(__file__).parents[1] / "golden"
SOURCES = ["vocals", "drums", "bass", "other"]


def spectrograms(n_channels=2, n_sources=3, n_freq=33, n_frames=20, scale=1.0, seed=0):
    """Random magnitudes (J, C, F, N) and a mixture (C, F, N)."""
    generator = torch.Generator().manual_seed(seed)
    shape = (n_channels, n_freq, n_frames)
    mixture = torch.randn(shape, dtype=torch.complex64, generator=generator) * scale
    estimates = torch.rand((n_sources, *shape), generator=generator) * scale
    return estimates, mixture


@pytest.mark.parametrize("regularization", [1e-2, None])
@pytest.mark.parametrize("source", [0.0, 1e-3])
def test_fast_stereo_path_equals_the_specification(regularization, source):
    magnitudes, x = (a.transpose(-1, -2).to(torch.complex128) for a in spectrograms())
    y = magnitudes * torch.sgn(x)
    mixture = None if regularization is None else torch.tensor(regularization).double()
    floors = Floors(source, torch.tensor(1e-12).double(), mixture, 0.0 if mixture is None else 2e-3)
    expected = filter_mixture(y, x, floors)
    # float64 rounds at 1e-16; solving two channels amplifies that by the condition number of their
    # covariance, at most (sum_j v_j + floor) / floor, far below 1e7 for these estimates
    for estimates in (Magnitudes(magnitudes.real, x), Spectrograms(y)):
        fast = StereoFilter(estimates, x, len(y), floors)(slice(None))
        torch.testing.assert_close(fast, expected, rtol=1e-9, atol=1e-9)


def energy_db(error, reference):
    return 10 * torch.log10(error.abs().square().sum() / reference.abs().square().sum())


@pytest.mark.parametrize("iterations", [0, 1, 2])
@pytest.mark.parametrize("softmask", [False, True])
def test_wiener_equals_norbert(iterations, softmask):
    golden = np.load(GOLDEN / "wiener.npz")
    estimates = torch.from_numpy(golden["v"]).permute(3, 2, 1, 0)
    mixture = torch.from_numpy(golden["x"]).permute(2, 1, 0)
    expected = golden[f"y_iter{iterations}_softmask{int(softmask)}"].transpose(3, 2, 1, 0)
    separated = wiener(estimates, mixture, iterations, softmask)
    assert torch.allclose(separated, torch.from_numpy(expected.copy()), rtol=1e-4, atol=1e-5)


def test_one_pass_filter_equals_the_official_d3net():
    golden = np.load(GOLDEN / "d3net_mwf.npz")
    estimates = np.stack([golden[f"in_{name}"] for name in SOURCES]).transpose(0, 2, 3, 1)
    expected = np.stack([golden[f"out_{name}"] for name in SOURCES]).transpose(0, 2, 3, 1)
    mixture = torch.from_numpy(golden["mixture"].transpose(1, 2, 0).copy())
    separated = wiener_one_pass(torch.from_numpy(estimates.copy()), mixture).numpy()
    np.testing.assert_allclose(separated, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n_channels", [1, 2, 3])
@pytest.mark.parametrize("scale", [1.0, 300.0])
@pytest.mark.parametrize("iterations", [1, 2])
def test_estimates_sum_to_the_mixture(n_channels, scale, iterations):
    estimates, mixture = spectrograms(n_channels, scale=scale)
    separated = wiener(estimates, mixture, iterations)
    assert energy_db(separated.sum(0) - mixture, mixture) < SIGNAL_DB


@pytest.mark.parametrize("n_channels", [1, 2, 3])
@pytest.mark.parametrize("iterations", [1, 2])
def test_bins_without_any_source_are_dropped_or_shared_equally(n_channels, iterations):
    estimates, mixture = spectrograms(n_channels)
    estimates[:, :, 10:20] = 0
    lost = wiener(estimates, mixture, iterations)
    shared = wiener(estimates, mixture, iterations, lossless=True)
    assert lost[:, :, 10:20].abs().max() == 0
    assert torch.allclose(shared[:, :, 10:20], (mixture[:, 10:20] / 3).expand(3, -1, -1, -1))
    assert energy_db(shared.sum(0) - mixture, mixture) < SIGNAL_DB
    assert energy_db(shared[:, :, :10] - lost[:, :, :10], lost) < SIGNAL_DB


@pytest.mark.parametrize(
    "dtypes", [(torch.float32, torch.complex64), (torch.float64, torch.complex128)]
)
@pytest.mark.parametrize("iterations", [0, 1, 2])
def test_inputs_are_not_changed_even_when_loud(iterations, dtypes):
    estimates, mixture = (x.to(dtype) for x, dtype in zip(spectrograms(scale=1000.0), dtypes))
    before = estimates.clone(), mixture.clone()
    wiener(estimates, mixture, iterations)
    wiener_one_pass(estimates * torch.sgn(mixture), mixture)
    assert torch.equal(estimates, before[0])
    assert torch.equal(mixture, before[1])


@pytest.mark.parametrize("n_channels", [1, 2, 3])
def test_precision_of_the_inputs_only_changes_rounding(n_channels):
    estimates, mixture = spectrograms(n_channels)
    single = wiener(estimates, mixture)
    double = wiener(estimates.double(), mixture.to(torch.complex128))
    # float32 rounds at 6e-8, before (mono, many channels) and after; well-conditioned covariances
    # amplify that a few times
    torch.testing.assert_close(single.to(torch.complex128), double, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n_channels", [1, 2, 4])
def test_silence_stays_silent_and_finite(n_channels):
    estimates, mixture = spectrograms(n_channels)
    assert wiener(estimates, 0 * mixture).abs().max() == 0
    assert wiener(0 * estimates, mixture).isfinite().all()
    assert wiener_one_pass(0 * estimates * mixture, 0 * mixture).isnan().sum() == 0


def test_two_equal_channels_stay_equal():
    estimates, mixture = spectrograms(1)
    stereo = wiener(estimates.repeat(1, 2, 1, 1), mixture.repeat(2, 1, 1))
    mono = wiener(estimates, mixture)
    assert energy_db(stereo[:, 0] - stereo[:, 1], stereo) < SIGNAL_DB
    assert energy_db(stereo[:, :1] - mono, mono) < SIGNAL_DB


@pytest.mark.parametrize("lossless", [False, True])
def test_closed_form_of_two_channels_equals_the_general_solution(lossless):
    estimates, mixture = spectrograms(2)
    silent = torch.zeros_like(mixture[:1])
    padded = wiener(
        torch.nn.functional.pad(estimates, (0, 0, 0, 0, 0, 1)),
        torch.cat([mixture, silent]),
        lossless=lossless,
    )
    scaled = wiener(estimates, mixture, lossless=lossless)
    assert energy_db(padded[:, :2] - scaled, scaled) < SIGNAL_DB


def test_windows_are_filtered_independently():
    estimates, mixture = spectrograms(n_frames=25)
    whole = wiener(estimates, mixture, window=10)
    for frames in (slice(0, 10), slice(10, 20), slice(20, 25)):
        part = wiener(estimates[..., frames], mixture[..., frames])
        assert torch.allclose(whole[..., frames], part, atol=1e-6)


def test_estimates_shared_by_the_channels_are_broadcast():
    estimates, mixture = spectrograms()
    shared = wiener(estimates[:, :1], mixture)
    assert torch.equal(shared, wiener(estimates[:, :1].expand_as(estimates), mixture))


def test_no_frames_give_no_frames():
    estimates, mixture = spectrograms(n_frames=0)
    assert wiener(estimates, mixture).shape == (3, 2, 33, 0)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda v, x: (v, x.abs()), "Expected a complex mixture"),
        (lambda v, x: (v[..., :5], x), "Expected estimates .source, channel, freq, frame."),
        (lambda v, x: (torch.cat([v, v], 1), x), "Expected estimates"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        wiener(*change(*spectrograms()))


def test_options_out_of_range_are_refused():
    with pytest.raises(ValueError, match="iterations >= 0 and window >= 1, got -1"):
        wiener(*spectrograms(), iterations=-1)

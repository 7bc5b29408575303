"""Laws of the baselines, and the difficulty of the demo set measured by them."""

import pytest
import torch

from asteroid_xscheme.recipes.baselines import StaticFilter, mixture_as_estimate, ratio_mask_oracle
from demo_songs.song import SOURCES, render_song


def sdr(sources, estimates):
    """Ratio of source to error in dB for each source, (J,)."""
    error = (sources - estimates).square().sum(dim=(1, 2))
    return 10 * torch.log10(sources.square().sum(dim=(1, 2)) / error)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def songs():
    """Four songs of 5 seconds: (mixture (C, T), sources (J, C, T)) of each."""
    rendered = [render_song((2, index), 5.0) for index in range(4)]
    signals = [torch.stack([torch.from_numpy(song[name]) for name in SOURCES]) for song in rendered]
    return [(sources.sum(dim=0) / 32768, sources / 32768) for sources in signals]


def test_demo_songs_are_as_hard_as_real_ones(songs):
    """Falcon 69, a track of MUSDB18: mixture -4.7, static filter 2.3, oracle 7.6 dB on average."""
    static_filter = StaticFilter().fit(songs)
    scores = {
        "mixture": [sdr(sources, mixture_as_estimate(mixture, 4)) for mixture, sources in songs],
        "static": [sdr(sources, static_filter.apply(mixture)) for mixture, sources in songs],
        "oracle": [sdr(sources, ratio_mask_oracle(mixture, sources)) for mixture, sources in songs],
    }
    means = {name: torch.stack(values).mean().item() for name, values in scores.items()}
    assert -8.0 < means["mixture"] < -4.0
    assert 1.0 < means["static"] < 4.0
    assert 7.0 < means["oracle"] < 10.5
    # No source is easy and none is hopeless.
    assert torch.stack(scores["static"]).mean(dim=0).max() < 6.0
    assert torch.stack(scores["oracle"]).mean(dim=0).min() > 5.0


def test_ratio_mask_estimates_sum_to_the_mixture():
    sources = noise(3, 2, 9000)
    mixture = sources.sum(dim=0)
    estimates = ratio_mask_oracle(mixture, sources, n_fft=512, hop=128)
    torch.testing.assert_close(estimates.sum(dim=0), mixture, atol=1e-5, rtol=0)


def test_ratio_mask_returns_sources_that_do_not_overlap():
    sources = noise(2, 1, 20000)
    sources[0, :, 9000:] = 0.0
    sources[1, :, :11000] = 0.0
    estimates = ratio_mask_oracle(sources.sum(dim=0), sources, n_fft=512, hop=128)
    torch.testing.assert_close(estimates, sources, atol=1e-5, rtol=0)


def test_ratio_mask_of_silence_is_silence():
    estimates = ratio_mask_oracle(torch.zeros(2, 5000), torch.zeros(4, 2, 5000))
    assert torch.equal(estimates, torch.zeros(4, 2, 5000))


def test_static_filter_of_proportional_sources_is_exact():
    mixture = noise(2, 9000)
    sources = torch.stack([0.75 * mixture, 0.25 * mixture])
    static_filter = StaticFilter(n_fft=512, hop=128).fit([(mixture, sources)])
    torch.testing.assert_close(static_filter.apply(mixture), sources, atol=1e-5, rtol=0)


def test_static_filter_gains_are_the_shares_of_power_of_independent_sources():
    sources = noise(2, 1, 400_000) * torch.tensor([2.0, 1.0])[:, None, None]
    static_filter = StaticFilter(n_fft=64, hop=32).fit([(sources.sum(dim=0), sources)])
    torch.testing.assert_close(static_filter.gains[0], torch.full((33,), 0.8), atol=0.02, rtol=0)
    torch.testing.assert_close(static_filter.gains.sum(dim=0), torch.ones(33))


def test_static_filter_does_not_depend_on_the_order_of_the_tracks():
    tracks = [(noise(2, 3000, seed=seed), noise(3, 2, 3000, seed=10 + seed)) for seed in range(3)]
    forward = StaticFilter(n_fft=256, hop=64).fit(iter(tracks))
    backward = StaticFilter(n_fft=256, hop=64).fit(reversed(tracks))
    torch.testing.assert_close(forward.gains, backward.gains)


def test_static_filter_without_tracks_raises():
    with pytest.raises(ValueError, match="at least one track to fit, got none"):
        StaticFilter().fit([])


def test_static_filter_applied_before_it_is_fitted_raises():
    with pytest.raises(RuntimeError, match="call fit"):
        StaticFilter().apply(torch.zeros(2, 5000))


def test_mixture_as_estimate_does_not_share_memory_with_the_mixture():
    mixture = noise(2, 10)
    estimates = mixture_as_estimate(mixture, 3)
    assert estimates.shape == (3, 2, 10)
    estimates[0] = 0.0
    assert torch.equal(estimates[1], mixture)
    assert mixture.any()

import pytest
import torch
from torch.nn.functional import l1_loss

from asteroid_xscheme.losses import CombinationLoss, WaveformL1Loss
from tests.rounding import BFLOAT


def test_loss_is_the_mean_absolute_error_of_the_waveforms(waveforms):
    estimates, references, mixture = waveforms(3)
    loss = WaveformL1Loss(nb_channels=2)((None, estimates.transpose(0, 1)), references, mixture)
    torch.testing.assert_close(loss, l1_loss(estimates, references))


def test_terms_are_listed_by_source(waveforms):
    estimates, references, _ = waveforms(3)
    loss = WaveformL1Loss(nb_channels=2)
    terms = loss.terms((None, estimates.transpose(0, 1)), references)
    expected = [l1_loss(estimates[:, j], references[:, j]).detach() for j in range(3)]
    torch.testing.assert_close(terms["time_per_source"], torch.stack(expected))
    assert loss.combine(terms) == terms["time"]


def test_sums_of_sources_are_compared_on_request(waveforms):
    estimates, references, _ = waveforms(3)
    loss = WaveformL1Loss(2, loss_combine_sources=True)
    value = loss((None, estimates.transpose(0, 1)), references)
    assert value == CombinationLoss(l1_loss)(estimates, references)


def test_mono_model_is_compared_with_the_mean_over_channels_up_to_its_end(waveforms):
    estimates, _, _ = waveforms(3, n_channels=1)
    _, references, _ = waveforms(3, n_channels=2)
    loss = WaveformL1Loss(nb_channels=1)((None, estimates.transpose(0, 1)[..., :-5]), references)
    expected = l1_loss(estimates[..., :-5], references[..., :-5].mean(2, keepdim=True))
    torch.testing.assert_close(loss, expected)


def test_half_precision_is_compared_in_float32(waveforms):
    estimates, references, _ = waveforms(3, dtype=torch.float32)
    half = estimates.transpose(0, 1).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        loss = WaveformL1Loss()((None, half), references)
    assert loss.dtype == torch.float32
    expected = l1_loss(estimates, references)
    torch.testing.assert_close(loss, expected, rtol=BFLOAT / 10, atol=0)  # roundings average out


def test_missing_time_signals_are_an_error(waveforms):
    _, references, _ = waveforms(3)
    with pytest.raises(ValueError, match="return_time_signals=True"):
        WaveformL1Loss()((None, None), references)

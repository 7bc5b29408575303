import pytest
import torch

from asteroid_xscheme.losses import weighted_sdr


def test_weighted_sdr_equals_the_official_core(golden):
    official = golden("xumx_losses")
    names = ("core_inp", "core_gt", "core_mix")
    signals = [official[name][:, 200:-200] for name in names]  # it leaves out 200 at each end
    loss = weighted_sdr(*signals).mean() - 1
    torch.testing.assert_close(loss, official["core_value_weighted1"], rtol=1e-6, atol=0)


def test_one_loss_per_signal_for_any_leading_axes():
    estimates, references, mixture = torch.randn(3, 2, 5, 100)
    losses = weighted_sdr(estimates, references, mixture)
    assert losses.shape == (2, 5)
    torch.testing.assert_close(
        losses[1, 2], weighted_sdr(estimates[1, 2], references[1, 2], mixture[1, 2])
    )


def test_level_of_the_estimate_only_matters_through_the_noise():
    source, noise = torch.randn(2, 1000, dtype=torch.float64)
    alone = [weighted_sdr(gain * source, source, source) for gain in (0.5, 2.0)]
    mixed = [weighted_sdr(gain * source, source, source + noise) for gain in (0.5, 1.0)]
    torch.testing.assert_close(alone[0], alone[1])
    assert mixed[1] < 1e-9 < 1e-2 < mixed[0]


def test_signals_of_different_shapes_are_refused():
    signal = torch.randn(2, 100)
    with pytest.raises(ValueError, match="references and mixture of the same shape"):
        weighted_sdr(signal, signal, signal[:1])

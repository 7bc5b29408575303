"""Synthesis with the phase of the mixture: the inverse STFT, and its gradient."""

import pytest
import torch

from asteroid_xscheme.models.synthesis import synthesize
from asteroid_xscheme.dsp.stft import istft, stft
from tests.rounding import SINGLE

SIZES = [(64, 64, 16), (64, 48, 16), (64, 64, 20), (30, 30, 7), (33, 33, 11)]


def make(n_fft, n_window, hop, n_samples=200):
    generator = torch.Generator().manual_seed(0)
    window = torch.hann_window(n_window) + 0.01
    mixture = stft(torch.randn(2, 3, n_samples, generator=generator), window, n_fft, hop)
    magnitudes = torch.rand(4, mixture.shape[-1], 2, 3, n_fft // 2 + 1, generator=generator)
    return magnitudes.requires_grad_(), mixture, window


@pytest.mark.parametrize("length", (None, 150, 200))
@pytest.mark.parametrize("n_fft, n_window, hop", SIZES)
def test_waveform_and_gradient_equal_those_of_istft(n_fft, n_window, hop, length):
    magnitudes, mixture, window = make(n_fft, n_window, hop)
    signals = synthesize(magnitudes, mixture, window, n_fft, hop, length)
    complex_estimates = magnitudes.permute(0, 2, 3, 4, 1) * torch.sgn(mixture)
    expected = istft(complex_estimates, window, n_fft, hop, length)
    torch.testing.assert_close(signals, expected)
    weight = torch.randn_like(expected)
    (gradient,) = torch.autograd.grad((signals * weight).sum(), magnitudes)
    (reference,) = torch.autograd.grad((expected * weight).sum(), magnitudes)
    torch.testing.assert_close(gradient, reference)


def test_mixtures_own_magnitudes_return_the_mixture():
    waveform, window = torch.randn(1, 2, 333), torch.hann_window(64)
    mixture = stft(waveform, window, 64, 16)
    magnitudes = mixture.abs().permute(3, 0, 1, 2)[None]
    estimate = synthesize(magnitudes, mixture, window, 64, 16, 333)
    # two transforms of log2(64) steps, each of which rounds
    limit = 2 * 6 * SINGLE * float(waveform.abs().max())
    torch.testing.assert_close(estimate[0], waveform, rtol=0, atol=limit)


def test_gradient_reaches_the_mixture_if_required():
    magnitudes, mixture, window = make(64, 64, 16)
    fixed = synthesize(magnitudes, mixture, window, 64, 16)
    mixture.requires_grad_()
    free = synthesize(magnitudes, mixture, window, 64, 16)
    torch.testing.assert_close(free, fixed)
    free.square().sum().backward()
    assert mixture.grad.abs().sum() > 0


def test_silent_mixture_has_silent_sources_and_no_gradient():
    magnitudes, mixture, window = make(64, 64, 16)
    signals = synthesize(magnitudes, torch.zeros_like(mixture), window, 64, 16)
    signals.sum().backward()
    assert not signals.any() and not magnitudes.grad.any()

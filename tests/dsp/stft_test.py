"""STFT and inverse: one convention, any length."""

import pytest
import torch

from asteroid_xscheme.dsp.stft import istft, magnitude, stft
from tests.rounding import SINGLE

WINDOW = torch.hann_window(64)
ROUND_TRIP = 2 * 6 * SINGLE  # two transforms of log2(64) steps, each of which rounds


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("n_samples", (1, 2, 31, 32, 33, 64, 500, 512))
@pytest.mark.parametrize("leading", ((), (2,), (2, 3, 4)))
def test_round_trip_returns_the_waveform(leading, n_samples):
    waveform = noise(*leading, n_samples)
    spectrogram = stft(waveform, WINDOW, 64, 16)
    assert spectrogram.shape == (*leading, 33, 1 + n_samples // 16)
    again = istft(spectrogram, WINDOW, 64, 16, length=n_samples)
    assert (again - waveform).abs().max() <= ROUND_TRIP * waveform.abs().max()


def test_convention_equals_torch_with_centred_reflected_frames():
    waveform = noise(2, 500)
    expected = torch.stft(
        waveform, 64, 16, window=WINDOW, center=True, pad_mode="reflect", return_complex=True
    )
    assert torch.equal(stft(waveform, WINDOW, 64, 16), expected)


def test_frame_of_a_sine_has_its_peak_at_its_frequency():
    time = torch.arange(800) / 8000
    spectrogram = stft(torch.sin(2 * torch.pi * 1000 * time), WINDOW, 64, 16)
    assert (spectrogram.abs()[:, 5:-5].argmax(0) == 1000 * 64 // 8000).all()


def test_window_shorter_than_the_transform_is_centred():
    window = torch.hann_window(32)
    waveform = noise(300)
    spectrogram = stft(waveform, window, 64, 8)
    again = istft(spectrogram, window, 64, 8, length=300)
    assert (again - waveform).abs().max() <= ROUND_TRIP * waveform.abs().max()


def test_length_defaults_to_what_the_frames_determine():
    assert istft(stft(noise(2, 500), WINDOW, 64, 16), WINDOW, 64, 16).shape == (2, 496)


def test_energy_equals_that_of_the_windowed_frames():
    spectrogram = stft(noise(512), torch.ones(64), 64, 64)[..., 1]
    weight = torch.full((33,), 2.0)
    weight[0] = weight[-1] = 1
    energy = (weight * spectrogram.abs().square()).sum() / 64
    torch.testing.assert_close(energy, noise(512)[32:96].square().sum())


def test_gradient_reaches_the_waveform():
    waveform = noise(200).requires_grad_()
    istft(stft(waveform, WINDOW, 64, 16), WINDOW, 64, 16, length=200).sum().backward()
    torch.testing.assert_close(waveform.grad, torch.ones(200))


def test_magnitude_is_the_absolute_value():
    spectrogram = stft(noise(2, 500), WINDOW, 64, 16)
    torch.testing.assert_close(magnitude(spectrogram), spectrogram.abs())


def test_magnitude_of_silence_has_no_infinite_gradient():
    waveform = torch.zeros(500, requires_grad=True)
    magnitude(stft(waveform, WINDOW, 64, 16)).sum().backward()
    assert waveform.grad.isfinite().all()

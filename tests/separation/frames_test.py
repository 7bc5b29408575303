"""The STFT of a stream is that of the whole song, frame by frame and sample by sample."""

import pytest
import torch

from asteroid_xscheme.separation.frames import analyze_stream, synthesize_stream
from asteroid_xscheme.dsp.stft import istft, stft

SIZES = [(64, 64, 16), (64, 48, 16), (64, 64, 24), (64, 64, 32)]  # n_fft, window, hop


def song(n_samples):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, n_samples, generator=generator)


@pytest.mark.parametrize("n_fft, length, hop", SIZES)
@pytest.mark.parametrize("n_samples", [1, 31, 33, 64, 1000])
@pytest.mark.parametrize("block", [1, 50, 10000])
def test_frames_of_a_stream_equal_those_of_the_song(n_fft, length, hop, n_samples, block):
    window = torch.hann_window(length)
    if n_samples > 100 and block == 1:
        block = 3
    frames = analyze_stream(song(n_samples).split(block, -1), window, n_fft, hop)
    whole = stft(song(n_samples), window, n_fft, hop)
    assert torch.allclose(torch.cat(list(frames), 1).transpose(1, 2), whole, atol=1e-5)


@pytest.mark.parametrize("n_fft, length, hop", SIZES[:3])
@pytest.mark.parametrize("n_samples", [20, 64, 1000])
@pytest.mark.parametrize("block", [1, 5, 1000])
def test_samples_of_a_stream_equal_those_of_the_song(n_fft, length, hop, n_samples, block):
    window = torch.hann_window(length)
    spectrogram = stft(song(n_samples), window, n_fft, hop) * 0.5
    frames = spectrogram.transpose(1, 2)[None]
    samples = torch.cat(list(synthesize_stream(frames.split(block, -2), window, n_fft, hop)), -1)
    whole = istft(spectrogram, window, n_fft, hop, length=n_samples)
    assert samples.shape[-1] >= n_samples
    assert torch.allclose(samples[0, :, :n_samples], whole, atol=1e-5)


def test_empty_song_has_no_frames():
    assert list(analyze_stream([], torch.hann_window(64), 64, 16)) == []
    assert list(synthesize_stream([], torch.hann_window(64), 64, 16)) == []

"""Errors of estimated magnitudes; the references get no gradient."""

import torch

from ..dsp.stft import stft
from .precision import working_dtype


def spectral_errors(spectrograms, targets, magnitudes):
    """Estimated magnitudes minus those of the references.

    Args:
        spectrograms (torch.Tensor): Estimates of shape $(sources, frames, batch, channels, bins)$.
        targets (torch.Tensor): Waveforms of shape $(batch, sources, channels, time)$.
        magnitudes (Callable): Function from a waveform $(channels, time)$ to its magnitudes
            $(frames, channels, bins)$.

    Returns:
        torch.Tensor, of shape $(batch, sources, frames, channels, bins)$ in float32 or float64.
    """
    references = torch.stack([torch.stack([magnitudes(x) for x in item]) for item in targets])
    estimates = spectrograms.permute(2, 0, 1, 3, 4)
    return estimates.to(working_dtype(spectrograms, targets)) - references


@torch.no_grad()
def magnitude_spectrogram(waveform, window, n_fft, hop, power=1, downmix=False):
    """Magnitudes |X|^power of a waveform, without gradient.

    Args:
        waveform (torch.Tensor): Waveform of shape $(channels, time)$.
        window (torch.Tensor), n_fft (int), hop (int): As given to `stft`.
        power (float): Exponent of the magnitudes.
        downmix (bool): Whether to average the magnitudes of the channels to one.

    Returns:
        torch.Tensor, of shape $(frames, channels, bins)$, with one channel after a downmix.
    """
    waveform = waveform.to(working_dtype(waveform))
    magnitudes = stft(waveform, window.to(waveform.dtype), n_fft, hop).abs().pow(power)
    if downmix:
        magnitudes = magnitudes.mean(0, keepdim=True)
    return magnitudes.permute(2, 0, 1)

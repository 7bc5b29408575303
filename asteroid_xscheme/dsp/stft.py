"""Waveform <-> complex spectrogram, with one convention for models, losses and separation.

Frames are centred, edges are reflected, nothing is normalised. This is torch.stft's convention,
also used by librosa, open-unmix and the published weights. Axes: (..., time) <-> (..., freq,
frame).
"""

from typing import Optional

import torch
import torch.nn.functional as F


def stft(waveform: torch.Tensor, window: torch.Tensor, n_fft: int, hop: int) -> torch.Tensor:
    """Complex spectrogram of a waveform of any length.

    A waveform too short for reflection is first padded with silence.

    Args:
        waveform: (..., T) float tensor.
        window: (window_length,) tensor, window_length <= n_fft.
        n_fft: Size of the transform in samples.
        hop: Samples from one frame to the next.

    Returns:
        (..., n_fft // 2 + 1, 1 + T // hop) complex tensor.
    """
    *leading, n_samples = waveform.shape
    flat = waveform.reshape(-1, n_samples)
    shortest = n_fft // 2 + 1
    if n_samples < shortest:
        flat = F.pad(flat, (0, shortest - n_samples))
    spectrogram = torch.stft(
        flat,
        n_fft,
        hop,
        win_length=window.numel(),
        window=window,
        center=True,
        pad_mode="reflect",
        return_complex=True,
    )
    n_frames = 1 + n_samples // hop
    return spectrogram[..., :n_frames].reshape(*leading, n_fft // 2 + 1, n_frames)


def istft(
    spectrogram: torch.Tensor,
    window: torch.Tensor,
    n_fft: int,
    hop: int,
    length: Optional[int] = None,
) -> torch.Tensor:
    """Waveform of a complex spectrogram.

    Args:
        spectrogram: (..., n_fft // 2 + 1, N) complex tensor.
        window, n_fft, hop: As given to :func:`stft`.
        length: Samples to return (default: hop * (N - 1)).

    Returns:
        (..., length) float tensor.
    """
    *leading, n_freq, n_frames = spectrogram.shape
    waveform = torch.istft(
        spectrogram.reshape(-1, n_freq, n_frames),
        n_fft,
        hop,
        win_length=window.numel(),
        window=window,
        center=True,
        length=length,
    )
    return waveform.reshape(*leading, waveform.shape[-1])


def magnitude(spectrogram: torch.Tensor) -> torch.Tensor:
    """|X| of a spectrogram, in a third of the time of `abs` where no gradient is wanted.

    Args:
        spectrogram: (...) complex tensor.

    Returns:
        (...) float tensor of the same shape.
    """
    if spectrogram.requires_grad:
        return spectrogram.abs()  # the root below has no gradient at 0
    real, imag = spectrogram.real, spectrogram.imag
    return real.square().addcmul_(imag, imag).sqrt_()

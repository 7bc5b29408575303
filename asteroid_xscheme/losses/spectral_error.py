"""Errors of estimated magnitudes; references are transformed one at a time.

References get no gradient, so their magnitudes are computed for one source of one song at a time
and are never all in memory together.
"""

from typing import Callable

import torch

from ..dsp.stft import stft
from .precision import full_precision, working_dtype

Magnitudes = Callable[[torch.Tensor], torch.Tensor]


def spectral_errors(
    spectrograms: torch.Tensor, targets: torch.Tensor, magnitudes: Magnitudes
) -> torch.Tensor:
    """Estimated magnitudes minus those of the references.

    Args:
        spectrograms: (J, N, B, C, F) estimates.
        targets: Waveforms (B, J, C', T) of the references; they get no gradient.
        magnitudes: Function from a waveform (C', T) to its magnitudes (N, C, F).

    Returns:
        (B, J, N, C, F) errors in float32 or float64.
    """
    errors = _MinusMagnitudes.apply(spectrograms, targets.detach(), magnitudes)
    return errors.permute(2, 0, 1, 3, 4)


def magnitude_spectrogram(
    waveform: torch.Tensor,
    window: torch.Tensor,
    n_fft: int,
    hop: int,
    power: float = 1,
    downmix: bool = False,
) -> torch.Tensor:
    """Magnitudes |X|^power of a waveform, without gradient.

    Args:
        waveform: (C, T).
        window, n_fft, hop: As given to `stft`.
        power: Exponent of the magnitudes.
        downmix: Average the magnitudes of the channels to one.

    Returns:
        (N, C, F), with C = 1 after a downmix.
    """
    with torch.no_grad(), full_precision(waveform.device):
        waveform = waveform.to(working_dtype(waveform))
        spectrogram = stft(waveform, window.to(waveform.dtype), n_fft, hop)
        squares = torch.view_as_real(spectrogram).square_()
        # Twice as fast as abs() of complex numbers on a CPU; the spectrogram is ours to overwrite.
        squares = squares[..., 0] + squares[..., 1]
        magnitudes = squares.sqrt_() if power == 1 else squares.pow_(power / 2)
        if downmix:
            magnitudes = magnitudes.mean(0, keepdim=True)
        return magnitudes.permute(2, 0, 1)


class _MinusMagnitudes(torch.autograd.Function):
    """spectrograms - magnitudes(targets), in the layout (J, N, B, C, F) of the spectrograms."""

    @staticmethod
    def forward(ctx, spectrograms, targets, magnitudes):
        ctx.dtype = spectrograms.dtype
        errors = torch.empty_like(spectrograms, dtype=working_dtype(spectrograms, targets))
        for item, references in enumerate(targets):
            for source, reference in enumerate(references):
                estimate = spectrograms[source, :, item]
                torch.sub(estimate, magnitudes(reference), out=errors[source, :, item])
        return errors

    @staticmethod
    def backward(ctx, errors_grad):
        return errors_grad.to(ctx.dtype), None, None

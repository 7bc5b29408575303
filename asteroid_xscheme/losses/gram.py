"""All scalar products between signals, in one pass over them.

The weighted SDR of a sum of sources consists of scalar products of sums of signals, which are sums
of entries of one small matrix. So the signals are read only once, for any number of sums.
"""

from typing import Iterator, List, Sequence, Tuple

import torch

from .precision import accumulation_dtype, full_precision

_PIECE_ELEMENTS = 2**20  # numbers held at a time in the accumulation type: 8 MB


def gram_matrix(signals: Sequence[torch.Tensor]) -> torch.Tensor:
    """Scalar products over time between all signals.

    The products are accumulated in float64, piece by piece, so long sums lose no digits and the
    signals are not copied. Every signal that requires a gradient gets one.

    Args:
        signals: Tensors (B, C, M_i, T) with the same B, C and T; any strides.

    Returns:
        (B, C, M, M) in float64 (float32 on Apple GPUs), M the sum of the M_i.
    """
    return _Gram.apply(*signals)


class _Gram(torch.autograd.Function):
    """G = Z Z^T with Z the stacked signals; dZ = (dG + dG^T) Z. Saves the signals uncopied."""

    @staticmethod
    def forward(ctx, *signals):
        ctx.save_for_backward(*signals)
        n_batch, n_channels = signals[0].shape[:2]
        n_rows = sum(signal.shape[2] for signal in signals)
        dtype = accumulation_dtype(signals[0].device)
        gram = signals[0].new_zeros(n_batch * n_channels, n_rows, n_rows, dtype=dtype)
        with full_precision(gram.device):
            for _, piece in _pieces(signals):
                gram.baddbmm_(piece, piece.transpose(1, 2))
        return gram.view(n_batch, n_channels, n_rows, n_rows)

    @staticmethod
    def backward(ctx, gram_grad):
        signals = ctx.saved_tensors
        sizes = [signal.shape[2] for signal in signals]
        weights = gram_grad + gram_grad.transpose(2, 3)
        if torch.is_grad_enabled():  # a second derivative is wanted
            stacked = torch.cat([signal.to(weights.dtype) for signal in signals], dim=2)
            grads = (weights @ stacked).split(sizes, dim=2)
            return tuple(grad.to(signal.dtype) for grad, signal in zip(grads, signals))
        weights = weights.flatten(0, 1).split(sizes, dim=1)
        grads = [
            torch.empty_like(signal) if wanted else None
            for signal, wanted in zip(signals, ctx.needs_input_grad)
        ]
        with full_precision(gram_grad.device):
            for start, piece in _pieces(signals):
                for grad, weight in zip(grads, weights):
                    if grad is not None:
                        part = grad[..., start : start + piece.shape[-1]]
                        part.copy_(torch.bmm(weight, piece).view(part.shape))
        return tuple(grads)


def _pieces(signals: Sequence[torch.Tensor]) -> Iterator[Tuple[int, torch.Tensor]]:
    """First sample and stacked signals (B * C, M, piece) of each piece of time."""
    n_batch, n_channels, _, n_samples = signals[0].shape
    sizes = [signal.shape[2] for signal in signals]
    n_groups, n_rows = n_batch * n_channels, sum(sizes)
    length = max(1, _PIECE_ELEMENTS // max(1, n_groups * n_rows))
    dtype = accumulation_dtype(signals[0].device)
    for start in range(0, n_samples, length):
        parts: List[torch.Tensor] = [signal[..., start : start + length] for signal in signals]
        n_piece = parts[0].shape[-1]
        stacked = parts[0].new_empty(n_batch, n_channels, n_rows, n_piece, dtype=dtype)
        for rows, part in zip(stacked.split(sizes, dim=2), parts):
            rows.copy_(part)
        yield start, stacked.view(n_groups, n_rows, n_piece)

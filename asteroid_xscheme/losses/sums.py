"""Scalar products and squared errors of sums of sources, in one pass over the signals.

The weighted SDR of a sum of sources consists of scalar products of sums of signals, which are sums
of entries of one small matrix, the Gram matrix of all signals.

The squared error of a combination, with e_j the error of source j, is ||sum of its e_j||^2. Summed
over combinations this is sum_ij (A^T A)_ij <e_i, e_j>, and A^T A has only two different entries:
`with_source` on its diagonal and `with_pair` elsewhere. So

    sum_c ||e_c||^2 = (with_source - with_pair) sum_j ||e_j||^2 + with_pair ||sum_j e_j||^2,

the errors of the sources and the error of their sum, whatever the number of combinations.

Both have gradients of their own, which keep no copy of the signals for the backward pass.
"""

from typing import Iterator, List, Sequence, Tuple

import torch

from .precision import accumulation_dtype, full_precision
from .subsets import subset_counts

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


def combined_squared_error(
    errors: torch.Tensor, sizes: Sequence[int]
) -> Tuple[torch.Tensor, torch.Tensor]:
    """Mean squared error over combinations and elements.

    Args:
        errors: (B, J, ...) estimates minus references, float32 or float64.
        sizes: Numbers of sources in a combination, see `subset_sizes`.

    Returns:
        The mean, a scalar, and the mean of each source alone, (J,), without gradient.
    """
    n_sources = errors.shape[1]
    counts = subset_counts(n_sources, sizes)
    n_terms = counts.total * errors[:, 0].numel()
    own_weight = (counts.with_source - counts.with_pair) / n_terms
    return _CombinedSquares.apply(errors, own_weight, counts.with_pair / n_terms)


class _CombinedSquares(torch.autograd.Function):
    """own_weight sum_j ||e_j||^2 + pair_weight ||sum_j e_j||^2; saves the errors, nothing else."""

    @staticmethod
    def forward(ctx, errors, own_weight, pair_weight):
        ctx.save_for_backward(errors)
        ctx.weights = own_weight, pair_weight
        with full_precision(errors.device):
            squares = torch.stack([_squares(item) for item in errors])
            own = squares.sum(0)
            total = sum(_squares(item.sum(0, keepdim=True))[0] for item in errors)
            value = own_weight * own.sum() + pair_weight * total
            per_source = own / errors[:, 0].numel()
        per_source = per_source.to(errors.dtype)
        ctx.mark_non_differentiable(per_source)
        return value.to(errors.dtype), per_source

    @staticmethod
    def backward(ctx, value_grad, _):
        (errors,) = ctx.saved_tensors
        own_scale, pair_scale = (2 * weight * value_grad for weight in ctx.weights)
        if torch.is_grad_enabled():  # a second derivative is wanted
            return errors * own_scale + errors.sum(1, keepdim=True) * pair_scale, None, None
        grad = torch.empty_like(errors)
        with full_precision(errors.device):
            for item, item_grad in zip(errors, grad):
                shared = item.sum(0).mul_(pair_scale)
                torch.addcmul(shared, item, own_scale, out=item_grad)
        return grad, None, None


def _squares(signals: torch.Tensor) -> torch.Tensor:
    """Sums of squares (J,) of signals (J, ...): short sums as they are, the long one exactly."""
    dtype = accumulation_dtype(signals.device)
    # One at a time: what is squared stays in the processor's cache, and vector_norm loses digits.
    return torch.stack([signal.square().sum(-1).sum(dtype=dtype) for signal in signals])

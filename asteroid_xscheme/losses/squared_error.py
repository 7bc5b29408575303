"""Mean squared error over all sums of sources, in one pass over the errors.

With e_j the error of source j, the squared error of a combination c is ||sum of its e_j||^2. Summed
over combinations this is sum_ij (A^T A)_ij <e_i, e_j>, and A^T A has only two different entries:
`with_source` on its diagonal and `with_pair` elsewhere. So

    sum_c ||e_c||^2 = (with_source - with_pair) sum_j ||e_j||^2 + with_pair ||sum_j e_j||^2,

the errors of the sources and the error of their sum, whatever the number of combinations.
"""

from typing import Sequence, Tuple

import torch

from .precision import accumulation_dtype, full_precision
from .subsets import subset_counts


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

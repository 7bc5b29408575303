"""Scalar products and squared errors of sums of sources, in one pass over the signals.

The weighted SDR of a sum of sources consists of scalar products of sums of signals, which are sums
of entries of one small matrix, the Gram matrix of all signals.

The squared error of a combination, with e_j the error of source j, is ||sum of its e_j||^2. Summed
over combinations this is sum_ij (A^T A)_ij <e_i, e_j>, and A^T A has only two different entries:
`with_source` on its diagonal and `with_pair` elsewhere. So

    sum_c ||e_c||^2 = (with_source - with_pair) sum_j ||e_j||^2 + with_pair ||sum_j e_j||^2,

the errors of the sources and the error of their sum, whatever the number of combinations.
"""

import torch

from .precision import accumulation_dtype
from .subsets import subset_counts


def gram_matrix(signals):
    """Scalar products over time between all signals.

    Args:
        signals (list of torch.Tensor): Signals of shapes $(batch, channels, M_i, time)$.

    Returns:
        torch.Tensor, of shape $(batch, channels, M, M)$ in float64 (float32 on Apple GPUs),
            where M is the sum of the M_i.
    """
    dtype = accumulation_dtype(signals[0].device)
    stacked = torch.cat([signal.to(dtype) for signal in signals], dim=2)
    return stacked @ stacked.transpose(2, 3)


def combined_squared_error(errors, sizes):
    """Mean squared error over combinations of sources and elements.

    Args:
        errors (torch.Tensor): Estimates minus references, of shape $(batch, sources, ...)$.
        sizes (list of int): Numbers of sources in a combination, see `subset_sizes`.

    Returns:
        tuple of torch.Tensor: the mean, a scalar, and the mean of each source alone, of shape
            $(sources,)$, without gradient.
    """
    counts = subset_counts(errors.shape[1], sizes)
    n_elements = errors[:, 0].numel()
    own = errors.square().flatten(2).sum((0, 2), dtype=accumulation_dtype(errors.device))
    total = errors.sum(1).square().sum(dtype=own.dtype)
    combined = (counts.with_source - counts.with_pair) * own.sum() + counts.with_pair * total
    mean = combined / (counts.total * n_elements)
    return mean.to(errors.dtype), (own.detach() / n_elements).to(errors.dtype)

"""Weighted SDR: how well the estimates of a source and of the rest match, by their angles.

    1 - a cos(s, s') - (1 - a) cos(n, n'),   a = ||s||^2 / (||s||^2 + ||n||^2),

with s the reference, s' its estimate, x the mixture, n = x - s and n' = x - s'. It is 0 for a
perfect estimate, at most 2, and defined for silence. The X-scheme uses it as its time-domain loss.

Reference: H.-S. Choi, J.-H. Kim, J. Huh, A. Kim, J.-W. Ha and K. Lee, "Phase-aware speech
enhancement with deep complex U-Net", ICLR 2019, https://arxiv.org/abs/1903.03107, eq. 7; the
constant 1 is that of the X-UMX paper, https://arxiv.org/abs/2010.04228, eq. 2.
"""

from typing import Optional, Tuple

import torch

from .precision import full_precision, working_dtype
from .subsets import subset_matrix, subset_sizes
from .sums import gram_matrix

_EPS = 1e-10  # energy added under each root and to each denominator, as in asteroid's recipe


def weighted_sdr(
    estimates: torch.Tensor, references: torch.Tensor, mixture: torch.Tensor
) -> torch.Tensor:
    """Weighted-SDR loss of each signal.

    Args:
        estimates, references, mixture: (..., T), all of one shape.

    Returns:
        (...) losses from 0 (perfect) to 2.

    Raises:
        ValueError: If the shapes differ.
    """
    signals = (estimates, references, mixture)
    if len({tuple(signal.shape) for signal in signals}) > 1:
        raise ValueError(
            "Expected estimates, references and mixture of the same shape (..., time), got "
            f"{[tuple(signal.shape) for signal in signals]}."
        )
    *leading, n_samples = estimates.shape
    estimates, references, mixture = (x.reshape(-1, 1, 1, n_samples) for x in signals)
    losses = subset_weighted_sdr(estimates, references, mixture[:, 0], sizes=(1,))[0]
    return losses.reshape(leading)


def subset_weighted_sdr(
    estimates: torch.Tensor,
    references: torch.Tensor,
    mixture: Optional[torch.Tensor],
    sizes: Optional[Tuple[int, ...]],
) -> Tuple[torch.Tensor, torch.Tensor]:
    """Weighted-SDR losses of all sums of sources, from one Gram matrix.

    Args:
        estimates, references: (B, J, C, T).
        mixture: (B, C, T), or None for the sum of the references.
        sizes: Numbers of sources in a combination, see `subset_sizes`.

    Returns:
        (B, C, K) losses of the combinations in the order of `subset_matrix`, and (B, C, J) losses
        of the sources alone, without gradient.
    """
    n_sources = references.shape[1]
    signals = [references.transpose(1, 2), estimates.transpose(1, 2)]
    if mixture is not None:
        signals.append(mixture.unsqueeze(2))
    dtype = working_dtype(*signals)
    with full_precision(references.device):
        gram = gram_matrix(signals)
        losses = _losses_of_subsets(gram, n_sources, subset_sizes(n_sources, sizes))
        per_source = _losses_of_subsets(gram.detach(), n_sources, (1,))
    return losses.to(dtype), per_source.to(dtype)


def _losses_of_subsets(gram: torch.Tensor, n_sources: int, sizes: Tuple[int, ...]) -> torch.Tensor:
    """Losses (B, C, K) from the Gram matrix of [references, estimates, mixture if it is given]."""
    members = subset_matrix(n_sources, sizes, gram.dtype, gram.device)
    # Each signal of a combination is a row of coefficients of the signals in the Gram matrix.
    rows = members.new_zeros(len(members), gram.shape[-1])
    source, estimate, mixture = rows, rows.clone(), rows.clone()
    source[:, :n_sources] = members
    estimate[:, n_sources : 2 * n_sources] = members
    if gram.shape[-1] > 2 * n_sources:
        mixture[:, -1] = 1
    else:
        mixture[:, :n_sources] = 1
    return _loss_of_signals(gram, source, estimate, mixture - source, mixture - estimate)


def _loss_of_signals(gram, source, estimate, noise, noise_estimate):
    """Losses (B, C, K) of signals given by their rows (K, M) of coefficients."""
    source_energy = _energy(gram, source)
    noise_energy = _energy(gram, noise)
    weight = source_energy / (source_energy + noise_energy + _EPS)
    source_match = _cosine(_product(gram, source, estimate), source_energy, _energy(gram, estimate))
    noise_match = _cosine(
        _product(gram, noise, noise_estimate), noise_energy, _energy(gram, noise_estimate)
    )
    return 1 - weight * source_match - (1 - weight) * noise_match


def _product(gram: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    return ((left @ gram) * right).sum(-1)


def _energy(gram: torch.Tensor, signal: torch.Tensor) -> torch.Tensor:
    return _product(gram, signal, signal).clamp_min(0)  # of a difference, rounding may go below


def _cosine(product, energy, other_energy):
    return product / ((energy + _EPS).sqrt() * (other_energy + _EPS).sqrt() + _EPS)

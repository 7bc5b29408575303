"""Combination loss: a loss over sums of sources, not only over single sources.

Errors that two estimates share, or that cancel between them, only show in sums of sources. The
combination loss is the mean of a loss over all sums of 1 to J - 1 of the J sources: 14 sums for
four sources, 254 for eight. For the mean squared error and the weighted SDR it is computed exactly,
at a cost that does not depend on the number of sums; any other loss is called once per sum.

>>> estimates, references = torch.rand(2, 4, 2, 1000), torch.rand(2, 4, 2, 1000)
>>> fast = combination_mse(estimates, references)
>>> slow = CombinationLoss(lambda estimate, reference: ((estimate - reference) ** 2).mean())
>>> torch.allclose(fast, slow(estimates, references))
True
"""

from itertools import chain, combinations
from typing import Callable, Optional, Sequence

import torch
from asteroid.losses.mse import SingleSrcMSE
from torch import nn

from .precision import full_precision, working_dtype
from .subsets import subset_sizes
from .sums import combined_squared_error
from .weighted_sdr import subset_weighted_sdr, weighted_sdr

LossFunction = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def combination_mse(
    estimates: torch.Tensor, references: torch.Tensor, sizes: Optional[Sequence[int]] = None
) -> torch.Tensor:
    """Mean squared error averaged over sums of sources.

    Args:
        estimates, references: (B, J, ...), usually waveforms (B, J, C, T).
        sizes: Numbers of sources to add up, each in 1..J; None for 1..J-1.

    Returns:
        A scalar.

    Raises:
        ValueError: If the shapes differ or a size is not in 1..J.
    """
    _check_pair(estimates, references)
    dtype = working_dtype(estimates, references)
    errors = estimates.to(dtype) - references.to(dtype)
    return combined_squared_error(errors, subset_sizes(errors.shape[1], sizes))[0]


def combination_wsdr(
    estimates: torch.Tensor,
    references: torch.Tensor,
    mixture: Optional[torch.Tensor] = None,
    sizes: Optional[Sequence[int]] = None,
) -> torch.Tensor:
    """Weighted-SDR loss averaged over sums of sources, channels and batch.

    Args:
        estimates, references: Waveforms (B, J, C, T), or (B, J, T) of one channel.
        mixture: (B, C, T) or (B, T); None for the sum of the references. Pass it if the
            references are only some of its sources.
        sizes: Numbers of sources to add up, each in 1..J; None for 1..J-1.

    Returns:
        A scalar from 0 (perfect) to 2, see `weighted_sdr`.

    Raises:
        ValueError: If the shapes do not fit each other or a size is not in 1..J.
    """
    _check_pair(estimates, references)
    if mixture is not None and mixture.shape != references[:, 0].shape:
        raise ValueError(
            f"Expected a mixture of shape {tuple(references[:, 0].shape)}, the shape of one "
            f"source, got {tuple(mixture.shape)}."
        )
    if references.ndim not in (3, 4):
        raise ValueError(
            "Expected waveforms (batch, source, channel, time) or (batch, source, time), "
            f"got {tuple(references.shape)}."
        )
    if references.ndim == 3:
        estimates, references = estimates.unsqueeze(2), references.unsqueeze(2)
        mixture = None if mixture is None else mixture.unsqueeze(1)
    chosen = None if sizes is None else tuple(sizes)
    return subset_weighted_sdr(estimates, references, mixture, chosen)[0].mean()


class CombinationLoss(nn.Module):
    """Mean of a loss over sums of sources.

    Exact and fast, at the cost of one pass, for the mean squared error (`torch.nn.MSELoss`,
    `torch.nn.functional.mse_loss`, asteroid's `singlesrc_mse`) and for our `weighted_sdr`. Any
    other loss is evaluated on each of the 2^J - 2 sums in turn.

    Args:
        loss_func: Callable (estimate, reference) -> loss on tensors (B, ...) without the source
            axis; its result is averaged.
        sizes: Numbers of sources to add up, each in 1..J; None for 1..J-1.

    References
        [1] R. Sawata, S. Uhlich, S. Takahashi and Y. Mitsufuji, "All for one and one for all:
        improving music separation by bridging networks", ICASSP 2021,
        https://arxiv.org/abs/2010.04228, section 3.2.
    """

    def __init__(self, loss_func: LossFunction, sizes: Optional[Sequence[int]] = None):
        super().__init__()
        self.loss_func = loss_func
        self.sizes = None if sizes is None else tuple(sizes)

    def forward(
        self,
        estimates: torch.Tensor,
        references: torch.Tensor,
        mixture: Optional[torch.Tensor] = None,
    ) -> torch.Tensor:
        """The loss, a scalar.

        Args:
            estimates, references: (B, J, ...).
            mixture: As in `combination_wsdr`; only for the weighted SDR.

        Raises:
            ValueError: If the shapes differ, or the loss does not take a mixture.
        """
        if self.loss_func is weighted_sdr:
            return combination_wsdr(estimates, references, mixture, self.sizes)
        if mixture is not None:
            raise ValueError(
                "Expected a mixture only for weighted_sdr; this loss only compares estimates and "
                "references: call it without a mixture."
            )
        if _is_mean_squared_error(self.loss_func):
            return combination_mse(estimates, references, self.sizes)
        return self._enumerate(estimates, references)

    def _enumerate(self, estimates: torch.Tensor, references: torch.Tensor) -> torch.Tensor:
        _check_pair(estimates, references)
        n_sources = references.shape[1]
        sizes = subset_sizes(n_sources, self.sizes)
        subsets = chain.from_iterable(combinations(range(n_sources), size) for size in sizes)
        losses = [
            self.loss_func(_sum_of(estimates, subset), _sum_of(references, subset)).mean()
            for subset in subsets
        ]
        return torch.stack(losses).mean()


def _sum_of(signals: torch.Tensor, subset: Sequence[int]) -> torch.Tensor:
    """Sum (B, ...) of some sources of (B, J, ...), in half precision only if they are in it."""
    with full_precision(signals.device):
        first, *others = subset
        return sum((signals[:, source] for source in others), start=signals[:, first])


def _is_mean_squared_error(loss_func: LossFunction) -> bool:
    if type(loss_func) is nn.MSELoss:
        return loss_func.reduction == "mean"
    return loss_func is nn.functional.mse_loss or type(loss_func) is SingleSrcMSE


def _check_pair(estimates: torch.Tensor, references: torch.Tensor) -> None:
    if estimates.shape != references.shape or references.ndim < 3:
        raise ValueError(
            "Expected estimates and references of the same shape (batch, source, ..., time), got "
            f"{tuple(estimates.shape)} and {tuple(references.shape)}."
        )

"""The multichannel Wiener filter as in its paper, for any number of channels.

Source j has a power v_j(n, f) in each bin and a spatial covariance R_j(f) at each frequency [1].
The steps have the same names as in norbert: `local_gaussian_model`, `mixture_model`, `wiener_gain`
and `apply_filter`. This module is the specification; `wiener_stereo` computes the same for two
channels, faster.

Shapes: J sources, C channels, N frames, F bins; x (C, N, F) is the mixture, y (J, C, N, F) are the
estimates, v is (J, N, F) and R (J, C, C, F). All of it is complex128 or float64.

[1] N. Duong, E. Vincent and R. Gribonval, "Under-determined reverberant audio source separation
using a full-rank spatial covariance model", IEEE TASLP 18(7), 2010; A. Nugraha, A. Liutkus and
E. Vincent, "Multichannel music separation with deep neural networks", EUSIPCO 2016.
"""

from dataclasses import dataclass
from typing import Optional, Tuple, Union

import torch

#: a number, or a tensor that broadcasts with (J, 1, F): the same for all frames
Power = Union[float, torch.Tensor]


@dataclass(frozen=True)
class Floors:
    """Small powers that keep the filter finite where denominators are close to zero.

    Attributes:
        source: Added to every v_j. D3Net's code: 1e-10 of the source's loudest bin; norbert: 0.
        energy: Added to sum_n v_j, the denominator of R_j. norbert: eps.
        mixture: Added to the diagonal of the mixture's covariance before it is inverted. norbert:
            sqrt(eps). None uses the pseudo-inverse without a floor, as D3Net's code does.
        returned: Share of `mixture` that each source gets back. 0 drops it, as norbert does; with
            mixture / J, the estimates add up to the mixture.
    """

    source: Power
    energy: torch.Tensor
    mixture: Optional[torch.Tensor]
    returned: Power = 0.0


def filter_mixture(y: torch.Tensor, x: torch.Tensor, floors: Floors) -> torch.Tensor:
    """Fit the model to estimates of the sources, and filter the mixture with it.

    Args:
        y: Estimates (J, C, N, F), complex128.
        x: Mixture (C, N, F), complex128.
        floors: See `Floors`.

    Returns:
        The filtered sources (J, C, N, F), complex128.
    """
    v, r = local_gaussian_model(y, floors)
    return apply_filter(wiener_gain(v, r, mixture_model(v, r), floors), x)


def local_gaussian_model(y: torch.Tensor, floors: Floors) -> Tuple[torch.Tensor, torch.Tensor]:
    """Fit v_j = mean_c |y_jc|^2, (J, N, F), and R_j = sum_n y_j y_j^H / sum_n v_j, (J, C, C, F)."""
    v = y.abs().square().mean(1) + floors.source
    products = torch.einsum("jcnf,jdnf->jcdf", y, y.conj())
    return v, products / (floors.energy + v.sum(1))[:, None, None]


def mixture_model(v: torch.Tensor, r: torch.Tensor) -> torch.Tensor:
    """Compute the covariance of the mixture, sum_j v_j R_j, (N, F, C, C)."""
    return torch.einsum("jnf,jcdf->nfcd", v.to(r.dtype), r)


def wiener_gain(
    v: torch.Tensor, r: torch.Tensor, mixture: torch.Tensor, floors: Floors
) -> torch.Tensor:
    """Compute the filters W_j = v_j R_j (sum_k v_k R_k)^-1, (J, N, F, C, C)."""
    source = torch.einsum("jnf,jcdf->jnfcd", v.to(r.dtype), r)
    if floors.mixture is None:
        return source @ torch.linalg.pinv(mixture, hermitian=True)
    identity = torch.eye(mixture.shape[-1], dtype=mixture.dtype, device=mixture.device)
    inverse = torch.linalg.inv(mixture + floors.mixture * identity)
    return (source + floors.returned * identity) @ inverse


def apply_filter(gain: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Filter the mixture, y_j = W_j x, (J, C, N, F)."""
    return torch.einsum("jnfcd,dnf->jcnf", gain, x)

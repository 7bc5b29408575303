"""The multichannel Wiener filter: from magnitudes to complex spectrograms of the sources.

The networks estimate how loud each source is; the mixture provides the phases and, through its
channels, the position of each source. The filter returns the part of the mixture that each source
explains: y_j = v_j R_j (sum_k v_k R_k)^-1 x (`local_gaussian_model`). The part that no source
explains is dropped, or distributed equally on request.

`wiener` returns the same values as norbert, `wiener_one_pass` those of D3Net's official code. Both
compute in float64, because covariances of panned music are nearly singular.
"""

from typing import Callable, Optional

import torch

from .local_gaussian_model import Floors, filter_mixture
from .stft import magnitude
from .wiener_stereo import Magnitudes, Map, Spectrograms, StereoFilter

WIENER_METHODS = ("em", "one_pass")
_D3NET_EPS = 1e-10
_EPS = torch.finfo(torch.float64).eps
_FRAMES_AT_ONCE = 64
_ALL = slice(None)

#: filters some frames of the mixture: the sources (J, C, n, F)
Filter = Callable[[slice], torch.Tensor]


def wiener(
    estimates: torch.Tensor,
    mixture: torch.Tensor,
    iterations: int = 1,
    softmask: bool = False,
    window: Optional[int] = None,
    eps: Optional[float] = None,
    lossless: bool = False,
) -> torch.Tensor:
    """Complex spectrograms of the sources, like norbert's function of the same name.

    Args:
        estimates: Magnitudes of the sources, (J, C, F, N), or (J, 1, F, N) for all channels.
        mixture: Complex spectrogram, (C, F, N).
        iterations: Iterations of expectation maximisation; 0 keeps the magnitudes, with the
            mixture's phase.
        softmask: Start from the mixture times v_j / sum_k v_k instead.
        window: Frames that share spatial covariances; the mixture is filtered window by window.
            None for all frames. openunmix uses 300.
        eps: Floor of energies; its square root regularizes covariances. None for the eps of
            float64, as norbert uses for complex128.
        lossless: Distribute the regularization residual equally among the sources. norbert drops
            it; in bins where all estimates are 0, the residual is the whole mixture.

    Returns:
        (J, C, F, N) complex. Bins where the mixture is exactly 0 are 0. The inputs are not
        changed.

    Raises:
        ValueError: If the shapes do not match or an option is out of range.
    """
    _check(estimates, mixture)
    if iterations < 0 or (window is not None and window < 1):
        raise ValueError(f"Expected iterations >= 0 and window >= 1, got {iterations}, {window}.")
    n_frames = mixture.shape[-1]
    window = window or max(1, n_frames)
    magnitudes, mixture = estimates.transpose(-1, -2), mixture.transpose(-1, -2)
    separated = mixture.new_empty((len(estimates), *mixture.shape))
    for start in range(0, n_frames, window):
        frames = slice(start, start + window)
        v, x, y = magnitudes[:, :, frames], mixture[:, frames], separated[:, :, frames]
        fitted = fit_magnitudes(v, x, iterations, softmask, eps, lossless)
        for first in range(0, x.shape[1], _FRAMES_AT_ONCE):
            piece = slice(first, first + _FRAMES_AT_ONCE)
            y[:, :, piece] = fitted(piece)
    return separated.transpose(-1, -2)


def wiener_one_pass(estimates: torch.Tensor, mixture: torch.Tensor) -> torch.Tensor:
    """Filter as the official D3Net code does: one pass, a pseudo-inverse instead of a floor.

    Args:
        estimates: Complex spectrograms of the sources, (J, C, F, N).
        mixture: Complex spectrogram, (C, F, N).

    Returns:
        (J, C, F, N) complex.

    Raises:
        ValueError: If the shapes do not match.
    """
    _check(estimates, mixture)
    fitted = fit_spectrograms(estimates.transpose(-1, -2), mixture.transpose(-1, -2))
    return fitted(_ALL).transpose(-1, -2)


# Below, frames come before bins: v is (J, C or 1, N, F), x (C, N, F) and y (J, C, N, F).


def fit_magnitudes(
    v: torch.Tensor,
    x: torch.Tensor,
    iterations: int = 1,
    softmask: bool = False,
    eps: Optional[float] = None,
    lossless: bool = False,
    run_each: Map = map,
) -> Filter:
    """Fit the filter of :func:`wiener` to one window of frames, and filter them on demand.

    Args:
        v: Magnitudes of the sources, (J, C or 1, N, F).
        x: Mixture, (C, N, F), complex.
        iterations, softmask, eps, lossless: As for :func:`wiener`.
        run_each: Processes several blocks of frames at once.
    """
    eps = _EPS if eps is None else eps
    if softmask:
        v = v / (v.sum(0) + eps) * magnitude(x)
    if not iterations:
        return lambda frames: v[:, :, frames] * torch.sgn(x[:, frames])
    floors = _norberts_floors(x, len(v), eps, lossless)
    if len(x) == 2:
        fitted: Filter = StereoFilter(Magnitudes(v, x), x, len(v), floors, run_each)
    else:
        fitted = _fit(v * torch.sgn(x), x, floors, run_each)
    for _ in range(iterations - 1):
        fitted = _fit(fitted(_ALL), x, floors, run_each)
    return fitted


def fit_spectrograms(y: torch.Tensor, x: torch.Tensor, run_each: Map = map) -> Filter:
    """Fit the filter of :func:`wiener_one_pass`, and filter frames on demand.

    Args:
        y: Spectrograms of the sources, (J, C, N, F), complex.
        x: Mixture, (C, N, F), complex.
        run_each: Processes several blocks of frames at once.
    """
    loudest = [source.abs().double().square().mean(0).amax() for source in y]
    source = _D3NET_EPS * torch.stack(loudest)[:, None, None]
    return _fit(y, x, Floors(source, energy=source.new_tensor(_EPS), mixture=None), run_each)


def _fit(y: torch.Tensor, x: torch.Tensor, floors: Floors, run_each: Map) -> Filter:
    if len(x) == 2:
        return StereoFilter(Spectrograms(y), x, len(y), floors, run_each)
    filtered = filter_mixture(y.to(torch.complex128), x.to(torch.complex128), floors).to(y.dtype)
    return lambda frames: filtered[:, :, frames]


def _norberts_floors(x: torch.Tensor, n_sources: int, eps: float, lossless: bool) -> Floors:
    """norbert's floors; norbert scales a loud mixture to a peak of 10, here the floors scale."""
    power = _reference_power(x)
    regularization = eps**0.5 * power
    returned = regularization / n_sources if lossless else 0.0
    return Floors(source=0.0, energy=eps * power, mixture=regularization, returned=returned)


def _reference_power(mixture: torch.Tensor) -> torch.Tensor:
    """The power of the loudest bin relative to a peak of 10, at least 1."""
    if not mixture.numel():
        return torch.ones((), dtype=torch.float64, device=mixture.device)
    loudest = mixture.real.square().addcmul_(mixture.imag, mixture.imag).amax()
    return (loudest.double() / 100).clamp_min(1)


def _check(estimates: torch.Tensor, mixture: torch.Tensor) -> None:
    """Check that estimates (J, C or 1, F, N) match a mixture (C, F, N)."""
    if mixture.ndim != 3 or not mixture.is_complex():
        raise ValueError(
            "Expected a complex mixture (channel, freq, frame), "
            f"got shape {tuple(mixture.shape)}, {mixture.dtype}."
        )
    fits = estimates.ndim == 4 and estimates.shape[2:] == mixture.shape[1:]
    if not fits or estimates.shape[1] not in (1, mixture.shape[0]):
        raise ValueError(
            "Expected estimates (source, channel, freq, frame) that match a mixture of shape "
            f"{tuple(mixture.shape)}, got shape {tuple(estimates.shape)}."
        )

"""From magnitudes to complex spectrograms: the multichannel Wiener filter.

The networks estimate how loud each source is; the mixture knows the phases and, between its
channels, where each source sits. The filter models source j by a power v_j per bin and a spatial
covariance R_j per frequency, and returns the part y_j = v_j R_j (sum_k v_k R_k)^-1 x of the
mixture x that they explain [1], so that the estimates add up to the mixture.

`wiener` gives norbert's numbers, `wiener_one_pass` those of D3Net's official code. Both work in
float64 (covariances of panned music are nearly singular) on slabs of bins that stay in the
processor's cache; two channels are solved in closed form and real arithmetic.

[1] A. Nugraha, A. Liutkus and E. Vincent, "Multichannel music separation with deep neural
networks", EUSIPCO 2016.
"""

from typing import Iterator, Optional, Union

import torch

_SLAB_BINS = 1 << 17  # of all sources and frames: 1 MiB of doubles
_D3NET_EPS = 1e-10
_D3NET_SINGULAR = 1e-10  # determinants below it are taken for 0


def wiener(
    estimates: torch.Tensor,
    mixture: torch.Tensor,
    iterations: int = 1,
    softmask: bool = False,
    window: Optional[int] = None,
    eps: Optional[float] = None,
) -> torch.Tensor:
    """Complex spectrograms of the sources, as norbert's function of this name.

    Args:
        estimates: Magnitudes of the sources, (J, C, F, N) or, shared by channels, (J, 1, F, N).
        mixture: Complex spectrogram, (C, F, N).
        iterations: Of expectation maximisation; 0 takes the magnitudes with the mixture's phase.
        softmask: Start from the mixture times v_j / sum_k v_k instead of that.
        window: Frames that share spatial covariances; the mixture is filtered window by window.
            None for all frames. openunmix takes 300.
        eps: Floor of energies; its root regularises covariances. None for that of float64, as
            norbert for complex128.

    Returns:
        (J, C, F, N) complex. Bins where the mixture is exactly 0 are 0. The inputs stay as they
        were.

    Raises:
        ValueError: If the shapes do not fit together or an option is out of range.
    """
    n_sources = _check(estimates, mixture)
    if iterations < 0 or (window is not None and window < 1):
        raise ValueError(f"Expected iterations >= 0, window >= 1, got {iterations}, {window}.")
    eps = torch.finfo(torch.float64).eps if eps is None else eps
    n_frames = mixture.shape[-1]
    window = window or max(1, n_frames)
    magnitudes, mixture = estimates.transpose(-1, -2), mixture.transpose(-1, -2)
    separated = mixture.new_empty((n_sources, *mixture.shape))
    for start in range(0, n_frames, window):
        frames = slice(start, start + window)
        power = _reference_power(mixture[:, frames])
        for bins in _slabs(separated[:, 0, frames]):
            x = _planes(mixture[:, frames, bins])
            y = _initial_estimates(magnitudes[:, :, frames, bins].double(), x, softmask, eps)
            for _ in range(iterations):
                _separate(y, x, 0.0, eps * power, regularization=eps**0.5 * power)
            torch.view_as_real(separated[:, :, frames, bins]).copy_(y.movedim(0, -1))
    return separated.transpose(-1, -2)


def wiener_one_pass(estimates: torch.Tensor, mixture: torch.Tensor) -> torch.Tensor:
    """The filter of the official D3Net code: no iteration, a pseudo-inverse instead of a floor.

    Args:
        estimates: Complex spectrograms of the sources, (J, C, F, N).
        mixture: Complex spectrogram, (C, F, N).

    Returns:
        (J, C, F, N) complex.
    """
    _check(estimates, mixture)
    mixture, estimates = mixture.transpose(-1, -2), estimates.transpose(-1, -2)
    separated = torch.empty_like(estimates)
    eps = torch.finfo(torch.float64).eps
    loudest = [_powers(_planes(source[None])).amax() for source in estimates]
    floor = _D3NET_EPS * torch.stack(loudest)[:, None, None]
    for bins in _slabs(separated[:, 0]):
        x, y = _planes(mixture[..., bins]), _planes(estimates[..., bins])
        _separate(y, x, floor, eps, regularization=None)
        torch.view_as_real(separated[..., bins]).copy_(y.movedim(0, -1))
    return separated.transpose(-1, -2)


# Below, complex arrays are pairs of float64 planes: x is (2, C, N, F), y is (2, J, C, N, F).


def _planes(spectrogram: torch.Tensor) -> torch.Tensor:
    """(...) complex -> (2, ...) real and imaginary parts in float64."""
    planes = torch.empty((2, *spectrogram.shape), dtype=torch.float64, device=spectrogram.device)
    planes[0], planes[1] = spectrogram.real, spectrogram.imag
    return planes


def _slabs(planes: torch.Tensor) -> Iterator[slice]:
    """Slices of the bins of (J, N, F), few enough for the cache; all at once on a GPU.

    Frequencies do not know of each other.
    """
    n_sources, n_frames, n_freq = planes.shape
    size = max(1, n_freq)
    if planes.device.type == "cpu":
        size = max(1, _SLAB_BINS // max(1, n_sources * n_frames))
    return (slice(start, start + size) for start in range(0, n_freq, size))


def _reference_power(mixture: torch.Tensor) -> torch.Tensor:
    """By what the floors of energies are scaled.

    norbert scales a loud mixture down to a peak of 10 before it adds its floors; they are scaled
    up here instead.
    """
    if not mixture.numel():
        return torch.ones((), dtype=torch.float64)
    return (torch.view_as_real(mixture).square().sum(-1).amax().double() / 100).clamp_min(1)


def _initial_estimates(
    v: torch.Tensor, x: torch.Tensor, softmask: bool, eps: float
) -> torch.Tensor:
    """Magnitudes v (J, C, N, F) with the phase of x (C, N, F), or the mixture in their ratio."""
    if softmask:
        return (v / (v.sum(0) + eps)) * x[:, None]
    magnitude = (x[0] * x[0]).addcmul(x[1], x[1]).sqrt()
    phase = x / magnitude.masked_fill(magnitude == 0, 1)
    return v * phase[:, None]


def _separate(
    y: torch.Tensor,
    x: torch.Tensor,
    floor: Union[float, torch.Tensor],
    eps: Union[float, torch.Tensor],
    regularization: Optional[torch.Tensor],
) -> None:
    """Filter x by the model of the sources that the estimates y give; y becomes the result.

    Args:
        floor: Power added to v_j.
        eps: Power added to the sum of v_j over frames.
        regularization: Power added to the mixture's covariance before it is inverted; None for
            the pseudo-inverse where it is singular.
    """
    powers = _powers(y) + floor
    covariances = _spatial_covariances(y, powers.sum(1) + eps)
    filter_planes = _filter_stereo if x.shape[1] == 2 else _filter_any
    filter_planes(y, x, powers, covariances, regularization)


def _spatial_covariances(y: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """R_j = sum_n y_j y_j^H / weights_j, (J, C, C, F) complex128, of weights (J, F)."""
    _, n_sources, n_channels, _, n_freq = y.shape
    re, im = y
    shape = (n_channels, n_channels, n_sources, n_freq)
    covariances = torch.zeros(shape, dtype=torch.complex128, device=y.device)
    for c in range(n_channels):
        covariances[c, c] = (re[:, c] * re[:, c]).addcmul(im[:, c], im[:, c]).sum(1)
        for d in range(c):
            real = (re[:, c] * re[:, d]).addcmul(im[:, c], im[:, d]).sum(1)
            imag = (im[:, c] * re[:, d]).addcmul(re[:, c], im[:, d], value=-1).sum(1)
            covariances[c, d] = torch.complex(real, imag)
            covariances[d, c] = torch.complex(real, -imag)
    return (covariances / weights).permute(2, 0, 1, 3)


def _filter_stereo(
    y: torch.Tensor,
    x: torch.Tensor,
    powers: torch.Tensor,
    covariances: torch.Tensor,
    regularization: Optional[torch.Tensor],
) -> None:
    """y_j = v_j R_j z with z = (sum_k v_k R_k)^-1 x for two channels, in real arithmetic.

    Args:
        y: Receives the result, (2, J, 2, N, F).
        x: (2, 2, N, F).
        powers: v_j, (J, N, F).
        covariances: R_j, (J, 2, 2, F) complex128; R = [[left, re + i im], [re - i im, right]].
    """
    left, right = (covariances[:, c, c].real.contiguous()[:, None] for c in (0, 1))
    re = covariances[:, 0, 1].real.contiguous()[:, None]
    im = covariances[:, 0, 1].imag.contiguous()[:, None]
    a, b, c_re, c_im = ((powers * part).sum(0) for part in (left, right, re, im))
    (x0r, x1r), (x0i, x1i) = x
    if regularization is None:
        a, b, scale, c_re, c_im = _pseudo_inverse_stereo(a, b, c_re, c_im)
    else:
        a, b = a + regularization, b + regularization
        determinant = a * b - c_re.square() - c_im.square()
        scale = determinant.clamp_min(regularization**2).reciprocal()
    z0r = scale * (b * x0r - c_re * x1r + c_im * x1i)
    z0i = scale * (b * x0i - c_re * x1i - c_im * x1r)
    z1r = scale * (a * x1r - c_re * x0r - c_im * x0i)
    z1i = scale * (a * x1i - c_re * x0i + c_im * x0r)
    terms = {
        (0, 0): (left * z0r).addcmul(re, z1r).addcmul(im, z1i, value=-1),
        (1, 0): (left * z0i).addcmul(re, z1i).addcmul(im, z1r),
        (0, 1): (right * z1r).addcmul(re, z0r).addcmul(im, z0i),
        (1, 1): (right * z1i).addcmul(re, z0i).addcmul(im, z0r, value=-1),
    }
    for (plane, channel), term in terms.items():
        torch.mul(term, powers, out=y[plane, :, channel])


def _filter_any(
    y: torch.Tensor,
    x: torch.Tensor,
    powers: torch.Tensor,
    covariances: torch.Tensor,
    regularization: Optional[torch.Tensor],
) -> None:
    """The same as :func:`_filter_stereo` for any number of channels."""
    mixture = torch.einsum("jnf,jcdf->nfcd", powers.to(covariances.dtype), covariances)
    columns = torch.complex(*x).permute(1, 2, 0)
    if regularization is None:
        z = (torch.linalg.pinv(mixture, hermitian=True) @ columns[..., None])[..., 0]
    elif x.shape[1] == 1:
        z = columns / (mixture[..., 0] + regularization)
    else:
        identity = torch.eye(x.shape[1], dtype=mixture.dtype, device=mixture.device)
        z = torch.linalg.solve(mixture + regularization * identity, columns)
    y.copy_(_planes(powers[:, None] * torch.einsum("jcdf,nfd->jcnf", covariances, z)))


def _pseudo_inverse_stereo(a, b, c_re, c_im):
    """Planes of the (pseudo-)inverse s [[b, -c], [-c*, a]] of the Hermitian [[a, c], [c*, b]].

    A singular matrix has rank 1; its pseudo-inverse is its conjugate transpose, itself, divided
    by the trace of its square.
    """
    determinant = a * b - c_re.square() - c_im.square()
    singular = determinant.abs() < _D3NET_SINGULAR
    power = a.square() + b.square() + 2 * (c_re.square() + c_im.square())
    power = torch.where(power > 0, power, 1.0)  # the pseudo-inverse of 0 is 0
    divisor = torch.where(singular, power, determinant)
    sign = torch.where(singular, -1.0, 1.0)
    a, b = torch.where(singular, b, a), torch.where(singular, a, b)
    return a, b, divisor.reciprocal(), sign * c_re, sign * c_im


def _powers(y: torch.Tensor) -> torch.Tensor:
    """v_j, the mean of |y_j|^2 over the channels: (2, J, C, N, F) -> (J, N, F)."""
    re, im = y
    return (re * re).addcmul(im, im).mean(1)


def _check(estimates: torch.Tensor, mixture: torch.Tensor) -> int:
    """The number of sources, if estimates (J, C or 1, F, N) and mixture (C, F, N) fit."""
    if mixture.ndim != 3 or not mixture.is_complex():
        raise ValueError(
            "Expected a complex mixture (channel, freq, frame), "
            f"got {tuple(mixture.shape)} of {mixture.dtype}."
        )
    fits = estimates.ndim == 4 and estimates.shape[2:] == mixture.shape[1:]
    if not fits or estimates.shape[1] not in (1, mixture.shape[0]):
        raise ValueError(
            f"Expected estimates (source, channel, freq, frame) of a mixture of shape "
            f"{tuple(mixture.shape)}, got {tuple(estimates.shape)}."
        )
    return estimates.shape[0]

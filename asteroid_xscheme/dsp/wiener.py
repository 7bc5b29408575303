"""From magnitudes to complex spectrograms: the multichannel Wiener filter.

The networks estimate how loud each source is; the mixture knows the phases and, between its
channels, where each source sits. The filter models source j by a power v_j per bin and a spatial
covariance R_j per frequency, and returns the part y_j = v_j R_j (sum_k v_k R_k)^-1 x of the
mixture x that they explain [1]. What no source explains is lost, or shared on request.

`wiener` gives norbert's numbers, `wiener_one_pass` those of D3Net's official code. Both work in
float64 (covariances of panned music are nearly singular) on blocks of frames that stay in the
processor's cache; two channels are solved in closed form and real arithmetic.

[1] A. Nugraha, A. Liutkus and E. Vincent, "Multichannel music separation with deep neural
networks", EUSIPCO 2016.
"""

from typing import Iterator, Optional, Tuple, Union

import torch

WIENER_METHODS = ("em", "one_pass")
_BLOCK_BINS = 1 << 17  # of all sources; smaller blocks cost more in calls than they save in cache
_D3NET_EPS = 1e-10
_D3NET_SINGULAR = 1e-10  # determinants below it are taken for 0


def wiener(
    estimates: torch.Tensor,
    mixture: torch.Tensor,
    iterations: int = 1,
    softmask: bool = False,
    window: Optional[int] = None,
    eps: Optional[float] = None,
    lossless: bool = False,
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
        lossless: Share alike among the sources what the regularization takes from the mixture.
            norbert drops it, which is all of the mixture where no source was found.

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
        v, x, y = magnitudes[:, :, frames], mixture[:, frames], separated[:, :, frames]
        if softmask:
            v = v / (v.sum(0) + eps) * x.abs()
        if not iterations:
            torch.mul(v, torch.sgn(x), out=y)
        power = _reference_power(x)
        regularization = eps**0.5 * power
        returned = regularization / n_sources if lossless else 0.0
        for iteration in range(iterations):
            products = _OfMagnitudes(v, x) if iteration == 0 else _OfSpectrograms(y)
            _separate(products, x, y, 0.0, eps * power, regularization, returned)
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
    x, y = mixture.transpose(-1, -2), estimates.transpose(-1, -2)
    separated = torch.empty_like(y)
    loudest = [source.abs().double().square().mean(0).amax() for source in y]
    floor = _D3NET_EPS * torch.stack(loudest)[:, None, None]
    eps = floor.new_tensor(torch.finfo(torch.float64).eps)
    _separate(_OfSpectrograms(y), x, separated, floor, eps, regularization=None)
    return separated.transpose(-1, -2)


# Below, frames come before bins: x is (C, N, F), y is (J, C, N, F), complex and of any precision;
# all that is computed of them is float64.


def _reference_power(mixture: torch.Tensor) -> torch.Tensor:
    """What scales the floors: norbert scales a loud mixture down to a peak of 10 instead."""
    if not mixture.numel():
        return torch.ones((), dtype=torch.float64)
    loudest = mixture.real.square().addcmul_(mixture.imag, mixture.imag).amax()
    return (loudest.double() / 100).clamp_min(1)


class _OfMagnitudes:
    """Products of the channels of estimates: magnitudes (J, C or 1, N, F) with the phase of x."""

    def __init__(self, magnitudes: torch.Tensor, x: torch.Tensor):
        self.magnitudes, self.x = magnitudes.expand(-1, x.shape[0], -1, -1), x

    def powers(self, frames: slice) -> torch.Tensor:
        """|y_c|^2, (J, C, n, F)."""
        magnitudes = self.magnitudes[:, :, frames].double()
        return magnitudes.mul_(magnitudes)

    def cross(self, frames: slice, c: int, d: int) -> Tuple[torch.Tensor, torch.Tensor]:
        """Real and imaginary part of y_c y_d*, (J, n, F)."""
        real, imag = _conjugate_product(self.x[c, frames], self.x[d, frames])
        power = real.square().addcmul_(imag, imag)
        scale = power.clamp_min_(torch.finfo(torch.float64).tiny).rsqrt_()
        product = self.magnitudes[:, c, frames].double().mul_(self.magnitudes[:, d, frames])
        return product * real.mul_(scale), product.mul_(imag.mul_(scale))


class _OfSpectrograms:
    """The same products of complex estimates y (J, C, N, F)."""

    def __init__(self, y: torch.Tensor):
        self.y = y

    def powers(self, frames: slice) -> torch.Tensor:
        re, im = self.y[:, :, frames].real.double(), self.y[:, :, frames].imag.double()
        return re.mul_(re).addcmul_(im, im)

    def cross(self, frames: slice, c: int, d: int) -> Tuple[torch.Tensor, torch.Tensor]:
        return _conjugate_product(self.y[:, c, frames], self.y[:, d, frames])


def _conjugate_product(a: torch.Tensor, b: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
    """Real and imaginary part of a b*, in planes: several times as fast as complex numbers."""
    a_re, a_im, b_re, b_im = (part.double() for x in (a, b) for part in (x.real, x.imag))
    return (a_re * b_re).addcmul_(a_im, b_im), (a_im * b_re).addcmul_(a_re, b_im, value=-1)


def _separate(
    products: Union[_OfMagnitudes, _OfSpectrograms],
    x: torch.Tensor,
    separated: torch.Tensor,
    floor: Union[float, torch.Tensor],
    eps: torch.Tensor,
    regularization: Optional[torch.Tensor],
    returned: Union[float, torch.Tensor] = 0.0,
) -> None:
    """Filter x by the model of the sources that the products of the estimates' channels give.

    Args:
        products: They may be those of `separated`.
        separated: Receives the result, (J, C, N, F).
        floor: Power added to v_j.
        eps: Power added to the sum of v_j over frames.
        regularization: Power added to the mixture's covariance before it is inverted; None for
            the pseudo-inverse where it is singular.
        returned: Each source's part of that power; `regularization / J` loses nothing of x.
    """
    covariances = _spatial_covariances(products, separated, floor, eps)
    filter_block = _filter_stereo if x.shape[0] == 2 else _filter_any
    for frames in _blocks(separated):
        powers = products.powers(frames).mean(1) + floor
        block = separated[:, :, frames]
        filter_block(block, x[:, frames], powers, covariances, regularization, returned)


def _spatial_covariances(
    products: Union[_OfMagnitudes, _OfSpectrograms],
    like: torch.Tensor,
    floor: Union[float, torch.Tensor],
    eps: torch.Tensor,
) -> torch.Tensor:
    """R_j = sum_n y_j y_j^H / (eps + sum_n v_j), (J, C, C, F) complex128, of y (J, C, N, F)."""
    n_sources, n_channels, _, n_freq = like.shape
    shape = (n_channels, n_channels, n_sources, n_freq)
    covariances = torch.zeros(shape, dtype=torch.complex128, device=like.device)
    weights = eps.expand(n_sources, n_freq)
    for frames in _blocks(like):
        powers = products.powers(frames)
        weights = weights + (powers.mean(1) + floor).sum(1)
        for c in range(n_channels):
            covariances[c, c] += powers[:, c].sum(1)
            for d in range(c):
                real, imag = products.cross(frames, c, d)
                covariances[c, d] += torch.complex(real.sum(1), imag.sum(1))
                covariances[d, c] = covariances[c, d].conj()
    return (covariances / weights).permute(2, 0, 1, 3)


def _filter_stereo(
    separated: torch.Tensor,
    x: torch.Tensor,
    powers: torch.Tensor,
    covariances: torch.Tensor,
    regularization: Optional[torch.Tensor],
    returned: Union[float, torch.Tensor],
) -> None:
    """y_j = (v_j R_j + r) z, z = (sum_k v_k R_k)^-1 x, of two channels in real arithmetic.

    Args:
        separated: Receives y, (J, 2, n, F) complex.
        x: (2, n, F) complex.
        powers: v_j, (J, n, F).
        covariances: R_j, (J, 2, 2, F) complex128; R = [[left, re + i im], [re - i im, right]].
    """
    left, right = (covariances[:, c, c].real.contiguous()[:, None] for c in (0, 1))
    re = covariances[:, 0, 1].real.contiguous()[:, None]
    im = covariances[:, 0, 1].imag.contiguous()[:, None]
    planes = (_weighted_sum(powers, part) for part in (left, right, re, im))
    z0r, z0i, z1r, z1i = _solve_stereo(*planes, x, regularization)
    parts = torch.view_as_real(separated)
    y = (left * z0r).addcmul_(re, z1r).addcmul_(im, z1i, value=-1)
    parts[:, 0, ..., 0] = torch.addcmul(returned * z0r, powers, y)
    y = (left * z0i).addcmul_(re, z1i).addcmul_(im, z1r)
    parts[:, 0, ..., 1] = torch.addcmul(returned * z0i, powers, y)
    y = (right * z1r).addcmul_(re, z0r).addcmul_(im, z0i)
    parts[:, 1, ..., 0] = torch.addcmul(returned * z1r, powers, y)
    y = (right * z1i).addcmul_(re, z0i).addcmul_(im, z0r, value=-1)
    parts[:, 1, ..., 1] = torch.addcmul(returned * z1i, powers, y)


def _weighted_sum(powers: torch.Tensor, part: torch.Tensor) -> torch.Tensor:
    """sum_j v_j part_j, (n, F), source by source."""
    total = powers[0] * part[0]
    for power, value in zip(powers[1:], part[1:]):
        total.addcmul_(power, value)
    return total


def _solve_stereo(a, b, c_re, c_im, x: torch.Tensor, regularization: Optional[torch.Tensor]):
    """z = [[a, c], [c*, b]]^-1 x = s [[b, -c], [-c*, a]] x as planes (re, im, re, im)."""
    if regularization is None:
        a, b, scale, c_re, c_im = _pseudo_inverse_stereo(a, b, c_re, c_im)
    else:
        a, b = a + regularization, b + regularization
        determinant = (a * b).addcmul_(c_re, c_re, value=-1).addcmul_(c_im, c_im, value=-1)
        scale = determinant.clamp_min_(regularization**2).reciprocal_()
    x0r, x1r = x.real.double()
    x0i, x1i = x.imag.double()
    return (
        (b * x0r).addcmul_(c_re, x1r, value=-1).addcmul_(c_im, x1i).mul_(scale),
        (b * x0i).addcmul_(c_re, x1i, value=-1).addcmul_(c_im, x1r, value=-1).mul_(scale),
        (a * x1r).addcmul_(c_re, x0r, value=-1).addcmul_(c_im, x0i, value=-1).mul_(scale),
        (a * x1i).addcmul_(c_re, x0i, value=-1).addcmul_(c_im, x0r).mul_(scale),
    )


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


def _filter_any(
    separated: torch.Tensor,
    x: torch.Tensor,
    powers: torch.Tensor,
    covariances: torch.Tensor,
    regularization: Optional[torch.Tensor],
    returned: Union[float, torch.Tensor],
) -> None:
    """The same as :func:`_filter_stereo` for any number of channels."""
    mixture = torch.einsum("jnf,jcdf->nfcd", powers.to(covariances.dtype), covariances)
    columns = x.to(covariances.dtype).permute(1, 2, 0)
    if regularization is None:
        z = (torch.linalg.pinv(mixture, hermitian=True) @ columns[..., None])[..., 0]
    elif x.shape[0] == 1:
        z = columns / (mixture[..., 0] + regularization)
    else:
        identity = torch.eye(x.shape[0], dtype=mixture.dtype, device=mixture.device)
        z = torch.linalg.solve(mixture + regularization * identity, columns)
    explained = powers[:, None] * torch.einsum("jcdf,nfd->jcnf", covariances, z)
    separated.copy_(explained + returned * z.permute(2, 0, 1))


def _blocks(y: torch.Tensor) -> Iterator[slice]:
    """Slices of the frames of (J, C, N, F), few enough for the cache; all at once on a GPU."""
    n_sources, _, n_frames, n_freq = y.shape
    on_cpu = y.device.type == "cpu"
    size = max(1, _BLOCK_BINS // (n_sources * n_freq) if on_cpu else n_frames)
    return (slice(start, start + size) for start in range(0, n_frames, size))


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

"""The Wiener filter for two channels in real arithmetic, several times faster.

The results equal those of `local_gaussian_model.filter_mixture`, which the tests compare. Complex
numbers are stored as real and imaginary planes, the inverse of a 2 x 2 matrix is written out, and
frames are filtered when they are asked for, in blocks that fit into the processor's cache.

Shapes: x is (2, N, F) and y (J, 2, N, F), complex in any precision. What covariances are made of
and multiplied with is float64; powers and the last product, which only scale, keep x's precision.
Planes of a signal are (channel, part, n, F) with the parts real and imaginary; those of a Hermitian
matrix [[left, re + i im], [re - i im, right]] are (left, right, re, im).
"""

from typing import Callable, Iterable, List, Protocol, Tuple

import torch

from .local_gaussian_model import Floors

#: `map`, or a function like it that makes several calls at once
Map = Callable[..., Iterable]

_BLOCK_BINS = 1 << 17  # over all sources; smaller blocks cost more calls than the cache saves
_SINGULAR = 1e-10  # D3Net's code treats smaller determinants as 0


class Estimates(Protocol):
    """Powers and products of the channels of estimates y."""

    def power(self, frames: slice) -> torch.Tensor:
        """mean_c |y_c|^2, (J, n, F)."""

    def products(self, frames: slice) -> Tuple[torch.Tensor, torch.Tensor]:
        """Planes of float64: |y_0|^2 and |y_1|^2; real and imaginary part of y_0 y_1*.

        Both are (J, 2, n, F).
        """


class Magnitudes:
    """Estimates given as magnitudes (J, 2 or 1, N, F), with the phase of the mixture x."""

    def __init__(self, magnitudes: torch.Tensor, x: torch.Tensor):
        self.magnitudes, self.x = magnitudes.expand(-1, 2, -1, -1), x

    def power(self, frames: slice) -> torch.Tensor:
        left, right = self.magnitudes[:, 0, frames], self.magnitudes[:, 1, frames]
        return (left * left).addcmul_(right, right).mul_(0.5)

    def products(self, frames: slice) -> Tuple[torch.Tensor, torch.Tensor]:
        magnitudes = self.magnitudes[:, :, frames].to(torch.float64, copy=True)
        product = magnitudes[:, 0] * magnitudes[:, 1]
        return magnitudes.mul_(magnitudes), product[:, None] * self._phase_difference(frames)

    def _phase_difference(self, frames: slice) -> torch.Tensor:
        """x_0 x_1* / |x_0 x_1|, planes (2, n, F); 0 where the mixture is."""
        planes = _cross(_planes(self.x[None, :, frames]))[0]
        power = planes.square().sum(0)
        return planes.mul_(power.clamp_min_(torch.finfo(torch.float64).tiny).rsqrt_())


class Spectrograms:
    """Estimates given as complex spectrograms (J, 2, N, F)."""

    def __init__(self, y: torch.Tensor):
        self.y = y

    def power(self, frames: slice) -> torch.Tensor:
        return torch.view_as_real(self.y[:, :, frames]).square().sum((1, -1)).mul_(0.5)

    def products(self, frames: slice) -> Tuple[torch.Tensor, torch.Tensor]:
        planes = _planes(self.y[:, :, frames])
        return planes.square().sum(2), _cross(planes)


class StereoFilter:
    """The filter that fits estimates of J sources of a stereo mixture.

    Args:
        estimates: Estimates of the sources.
        x: Mixture (2, N, F), complex.
        n_sources: J.
        floors: See `Floors`.
        run_each: Processes blocks of frames, which do not depend on each other.
    """

    def __init__(
        self,
        estimates: Estimates,
        x: torch.Tensor,
        n_sources: int,
        floors: Floors,
        run_each: Map = map,
    ):
        self.estimates, self.x, self.n_sources, self.floors = estimates, x, n_sources, floors
        self.run_each, self.block = run_each, _block_frames(x, n_sources)
        self.r = self._spatial_covariances()

    def __call__(self, frames: slice) -> torch.Tensor:
        """Filter some frames of the mixture: the sources (J, 2, n, F) in its precision."""
        y = self.x.new_empty(self.n_sources, *self.x[:, frames].shape)
        list(self.run_each(self._filter, self._blocks(frames), y.split(self.block, 2)))
        return y

    def _filter(self, frames: slice, y: torch.Tensor) -> None:
        v = self.estimates.power(frames).double() + self.floors.source
        z = _solve(_mixture_model(v, self.r), _planes(self.x[:, frames]), self.floors)
        _apply_filter(v, self.r, z, self.floors, y)

    def _blocks(self, frames: slice) -> List[slice]:
        start, stop, _ = frames.indices(self.x.shape[1])
        return [slice(k, min(k + self.block, stop)) for k in range(start, stop, self.block)]

    def _spatial_covariances(self) -> torch.Tensor:
        """R_j = sum_n y_j y_j^H / (energy + sum_n v_j), planes (4, J, 1, F)."""
        sums = zip(*self.run_each(self._sums, self._blocks(slice(None))))
        powers, cross = (torch.stack(parts).sum(0) for parts in sums)
        v = powers.mean(1, keepdim=True) + self.x.shape[1] * self.floors.source
        planes = torch.cat([powers, cross], 1) / (v + self.floors.energy)
        return planes.transpose(0, 1)[:, :, None]

    def _sums(self, frames: slice) -> Tuple[torch.Tensor, ...]:
        return tuple(planes.sum(2) for planes in self.estimates.products(frames))


def _block_frames(x: torch.Tensor, n_sources: int) -> int:
    """Frames per block: as many as fit into the cache; all of (2, N, F) on a GPU."""
    if x.device.type != "cpu":
        return max(1, x.shape[1])
    return max(1, round(_BLOCK_BINS / (n_sources * x.shape[-1])))


def _mixture_model(v: torch.Tensor, r: torch.Tensor) -> torch.Tensor:
    """sum_j v_j R_j, planes (4, n, F)."""
    total = v[0] * r[:, 0]
    for power, covariance in zip(v[1:], r.unbind(1)[1:]):
        total.addcmul_(power, covariance)
    return total


def _solve(mixture: torch.Tensor, x: torch.Tensor, floors: Floors) -> torch.Tensor:
    """z = [[a, c], [c*, b]]^-1 x = [[b, -c], [-c*, a]] (s x), planes (2, 2, n, F)."""
    if floors.mixture is None:
        (a, b, re, im), scale = _pseudo_inverse(mixture)
    else:
        mixture[:2] += floors.mixture
        a, b, re, im = mixture
        determinant = (a * b).addcmul_(re, re, value=-1).addcmul_(im, im, value=-1)
        scale = determinant.clamp_min_(floors.mixture**2).reciprocal_()
    left, right = x.mul_(scale)
    z_left = (b * left).addcmul_(re, right, value=-1).addcmul_(im, _times_i(right), value=-1)
    z_right = (a * right).addcmul_(re, left, value=-1).addcmul_(im, _times_i(left))
    return torch.stack([z_left, z_right])


def _pseudo_inverse(matrix: torch.Tensor) -> Tuple[Tuple[torch.Tensor, ...], torch.Tensor]:
    """M and s such that s [[b, -c], [-c*, a]] of M = [[a, c], [c*, b]] is the pseudo-inverse.

    A singular matrix has rank 1; its pseudo-inverse is its conjugate transpose, itself, divided
    by the trace of its square.
    """
    a, b, re, im = matrix
    determinant = a * b - re.square() - im.square()
    singular = determinant.abs() < _SINGULAR
    power = a.square() + b.square() + 2 * (re.square() + im.square())
    power = torch.where(power > 0, power, 1.0)  # the pseudo-inverse of 0 is 0
    scale = torch.where(singular, power, determinant).reciprocal()
    sign = torch.where(singular, -1.0, 1.0)
    a, b = torch.where(singular, b, a), torch.where(singular, a, b)
    return (a, b, sign * re, sign * im), scale


def _apply_filter(
    v: torch.Tensor, r: torch.Tensor, z: torch.Tensor, floors: Floors, y: torch.Tensor
) -> None:
    """Write y_j = v_j (R_j z) + returned z to y (J, 2, n, F).

    R_j z may be a small difference, so it is float64; what follows cancels nothing.
    """
    precision = y.dtype.to_real()
    left, right, re, im = r[:, :, None]
    z_left, z_right = z
    filtered = (
        (left * z_left).addcmul_(re, z_right).addcmul_(im, _times_i(z_right)),
        (right * z_right).addcmul_(re, z_left).addcmul_(im, _times_i(z_left), value=-1),
    )
    v, returned = v[:, None].to(precision), (floors.returned * z).to(precision)
    for channel, planes in enumerate(filtered):
        real, imag = torch.addcmul(returned[channel], v, planes.to(precision)).unbind(1)
        torch.complex(real, imag, out=y[:, channel])


def _planes(x: torch.Tensor) -> torch.Tensor:
    """Real and imaginary planes (..., 2, n, F) in float64 of (..., n, F), a new tensor."""
    return torch.stack([x.real, x.imag], -3).double()


def _times_i(planes: torch.Tensor) -> torch.Tensor:
    """Planes (2, n, F) times the imaginary unit."""
    return torch.stack([-planes[1], planes[0]])


def _cross(planes: torch.Tensor) -> torch.Tensor:
    """y_0 y_1*, planes (J, 2, n, F), of planes (J, 2, 2, n, F) of y."""
    (left_re, left_im), (right_re, right_im) = (planes[:, k].unbind(1) for k in (0, 1))
    re = (left_re * right_re).addcmul_(left_im, right_im)
    return torch.stack([re, (left_im * right_re).addcmul_(left_re, right_im, value=-1)], 1)

"""Compute BSSEval v4's SDR, ISR, SIR and SAR of a track, faster than museval.

Every estimate is decomposed with distortion filters of 512 taps that project it onto the delayed
references: onto its own source ("own", which gives the spatial distortion) and onto all sources
("joint", which gives the interference). The filters are computed over the whole track. The energies
of a frame are those of the frame alone: the references are cut, then filtered, and the 511 samples
of the filters' tail after the frame are included.

It is fast because it computes only the 512 lags in use of the correlations, from short blocks;
factorises the correlation matrix once for all estimates; and takes energies from spectra
(Parseval), which are never transformed back. It needs little memory because it reads blocks and
frames one after the other.

The correlation matrix of band-limited sources, such as decoded AAC in floating point, is singular
up to rounding. The second decimal of SIR and SAR then depends on the order of the arithmetic, in
museval too; SDR and ISR are not affected.

Reference: E. Vincent et al., "First stereo audio source separation evaluation campaign: data,
algorithms and results", ICA 2007, eqs. (3) to (8); with one system of filters for all frames:
F.-R. Stöter, A. Liutkus and N. Ito, LVA/ICA 2018, https://arxiv.org/abs/1804.06267.
"""

from dataclasses import dataclass
from typing import Iterator, Tuple

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.linalg import lapack

from .waveforms import Waveforms

FILTER_LENGTH = 512
_BLOCK = 8192  # samples per FFT of the correlations
_BLOCKS_AT_ONCE = 8
_FRAMES_AT_ONCE = 2


def fast_bss_eval(references: Waveforms, estimates: Waveforms, window: int) -> np.ndarray:
    """Compute the scores of every frame.

    Args:
        references: True sources; none may be silent throughout.
        estimates: Estimates of the same sources.
        window: Length T' of a frame in samples. Frames do not overlap, and an incomplete last frame
            is left out unless it is the only one.

    Returns:
        SDR, ISR, SIR and SAR in dB, (4, J, N); NaN in frames in which any reference or estimate is
        silent.
    """
    window = min(window, references.n_samples)
    filters = _Filters.fit(references, estimates, window)
    frames = _read_frames(references, estimates, window)
    return np.concatenate([filters.score(*group) for group in frames], axis=-1)


def _read_frames(
    references: Waveforms, estimates: Waveforms, window: int
) -> Iterator[Tuple[np.ndarray, ...]]:
    """Read groups of frames: references and estimates (J, C, frames, T')."""
    n_frames = references.n_samples // window
    for first in range(0, n_frames, _FRAMES_AT_ONCE):
        count = min(_FRAMES_AT_ONCE, n_frames - first)
        read = (w.read(first * window, count * window) for w in (references, estimates))
        yield tuple(x.astype(np.float64).reshape(*x.shape[:2], count, window) for x in read)


@dataclass(frozen=True)
class _Filters:
    """Frequency responses of a track's distortion filters.

    Attributes:
        own: (F, J, C, C), from the channels of one source to those of its estimate.
        joint: (F, J * C, J * C), from the channels of all references to those of all estimates.
        n_fft: FFT size in samples, enough for a frame and the tail of the filters.
    """

    own: np.ndarray
    joint: np.ndarray
    n_fft: int

    @classmethod
    def fit(cls, references: Waveforms, estimates: Waveforms, window: int) -> "_Filters":
        """The least-squares filters over the whole track."""
        n_sources, n_channels = len(references.sources), references.n_channels
        n_fft = next_fast_len(window + FILTER_LENGTH - 1, real=True)
        correlations = _correlate(references, estimates)
        n_inputs = n_sources * n_channels
        own = []
        for start in range(0, n_inputs, n_channels):
            inputs = slice(start, start + n_channels)
            outputs = slice(n_inputs + start, n_inputs + start + n_channels)
            filters = _project(correlations[inputs, inputs], correlations[inputs, outputs])
            own.append(_responses(filters, n_fft))
        joint = _project(correlations[:, :n_inputs], correlations[:, n_inputs:])
        return cls(np.stack(own, axis=1), _responses(joint, n_fft), n_fft)

    def score(self, references: np.ndarray, estimates: np.ndarray) -> np.ndarray:
        """Scores (4, J, N) of frames (J, C, N, T')."""
        reference, estimate = self._transform(references), self._transform(estimates)
        n_bins, _, _, n_frames = reference.shape
        own = np.matmul(self.own, reference)
        joint = np.matmul(self.joint, reference.reshape(n_bins, -1, n_frames)).reshape(own.shape)
        energy = (references**2).sum((1, 3))
        scores = [
            _decibels(energy, ((estimates - references) ** 2).sum((1, 3))),
            _decibels(energy, self._energy(own - reference)),
            _decibels(self._energy(own), self._energy(joint - own)),
            _decibels(self._energy(joint), self._energy(estimate - joint)),
        ]
        silent = _silent(references) | _silent(estimates)
        return np.where(silent, np.nan, np.stack(scores))

    def _transform(self, frames: np.ndarray) -> np.ndarray:
        """Spectra (F, J, C, N) of frames (J, C, N, T')."""
        return np.ascontiguousarray(np.moveaxis(rfft(frames, self.n_fft), -1, 0))

    def _energy(self, spectra: np.ndarray) -> np.ndarray:
        """Energy (J, N) of the real signals with spectra (F, J, C, N)."""
        weights = np.full(len(spectra), 2 / self.n_fft)
        weights[0] = 1 / self.n_fft
        if self.n_fft % 2 == 0:
            weights[-1] = 1 / self.n_fft
        return np.tensordot(weights, spectra.real**2 + spectra.imag**2, 1).sum(1)


def _responses(filters: np.ndarray, n_fft: int) -> np.ndarray:
    """Frequency responses (F, O, I) of filters (I, 512, O)."""
    return np.ascontiguousarray(np.moveaxis(rfft(filters, n_fft, axis=1), (0, 1, 2), (2, 0, 1)))


def _silent(frames: np.ndarray) -> np.ndarray:
    """Whether any source of (J, C, N, T') is silent, (N,); as museval, in the sum of channels."""
    return ~frames.sum(1).any(-1).all(0)


def _decibels(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(denominator > 0, numerator / denominator, np.inf)
        return 10 * np.log10(ratio)


def _correlate(references: Waveforms, estimates: Waveforms) -> np.ndarray:
    """Correlations of references (I channels) with references and estimates (I + O channels).

    Returns:
        (I, I + O, 512), whose element [a, b, d] is the sum over t of a[t - d] b[t].
    """
    n_inputs = len(references.sources) * references.n_channels
    total = 0.0
    for signals in _read_blocks(references, estimates):
        delayed = signals[:n_inputs, :, : _BLOCK - FILTER_LENGTH + 1]
        left = np.moveaxis(rfft(delayed, _BLOCK).conj(), -1, 0)  # (F, I, blocks)
        right = np.moveaxis(rfft(signals), -1, 0).swapaxes(-1, -2)  # (F, blocks, I + O)
        total = total + np.matmul(left, right)
    return np.moveaxis(irfft(total, _BLOCK, axis=0)[:FILTER_LENGTH], 0, -1)


def _read_blocks(references: Waveforms, estimates: Waveforms) -> Iterator[np.ndarray]:
    """Read groups of blocks (channels, blocks, 8192); successive blocks share 511 samples."""
    n_samples, ringing = references.n_samples, FILTER_LENGTH - 1
    hop = _BLOCK - ringing
    for start in range(0, n_samples, _BLOCKS_AT_ONCE * hop):
        n_read = min(_BLOCKS_AT_ONCE * hop + ringing, n_samples - start)
        n_blocks = min(_BLOCKS_AT_ONCE, -(-n_read // hop))
        read = np.concatenate([w.read(start, n_read) for w in (references, estimates)])
        signals = np.zeros((read.shape[0] * read.shape[1], n_blocks * hop + ringing))
        signals[:, :n_read] = read.reshape(len(signals), n_read)
        yield np.lib.stride_tricks.sliding_window_view(signals, _BLOCK, axis=-1)[:, ::hop]


def _project(among: np.ndarray, with_estimates: np.ndarray) -> np.ndarray:
    """Filters that project estimates onto delayed references.

    Args:
        among: Correlations (I, I, 512) of the references.
        with_estimates: Correlations (I, O, 512) with the estimates.

    Returns:
        Filters (I, 512, O).
    """
    right = with_estimates.swapaxes(-1, -2).reshape(-1, with_estimates.shape[1])
    factor, info = lapack.dpotrf(_block_toeplitz(among), lower=1, overwrite_a=1, clean=0)
    if info == 0:
        solution, _ = lapack.dpotrs(factor, right, lower=1)
    else:
        del factor
        solution = _project_singular(_block_toeplitz(among), right)
    return solution.reshape(len(among), FILTER_LENGTH, -1)


def _block_toeplitz(among: np.ndarray) -> np.ndarray:
    """Matrix (I * 512, I * 512) of the products of references delayed by 0 to 511 samples.

    Entry ((a, m), (b, n)) is the correlation [a, b, m - n], or [b, a, n - m] where n > m.
    """
    lags = np.concatenate([among.swapaxes(0, 1)[..., :0:-1], among], axis=-1)  # -511 to 511
    toeplitz = np.lib.stride_tricks.sliding_window_view(lags, FILTER_LENGTH, axis=-1)[..., ::-1]
    size = len(among) * FILTER_LENGTH
    matrix = np.ascontiguousarray(toeplitz.swapaxes(1, 2)).reshape(size, size)
    matrix[np.diag_indices(size)] += np.finfo(
        float
    ).eps  # as museval: empty channels have no filter
    return matrix.T  # the same, in Fortran's order


def _project_singular(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """A least-squares solution for linearly dependent delayed references.

    Pivoted Cholesky factorisation leaves out delayed references that depend on those chosen before;
    the projection is the same without them.
    """
    factor, pivots, rank, _ = lapack.dpstrf(matrix, lower=1, overwrite_a=1)
    chosen = pivots[:rank] - 1
    solution = np.zeros_like(right)
    solution[chosen], _ = lapack.dpotrs(factor[:rank, :rank], right[chosen], lower=1)
    return solution

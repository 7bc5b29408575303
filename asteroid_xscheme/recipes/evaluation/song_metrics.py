"""Metrics with one figure per source for a whole song: uSDR and SI-SDR.

uSDR is the SDR of the Music Demixing Challenges: 10 log10 of the energy of the reference divided by
that of the error, over all samples and channels of a song, then averaged over songs (Y. Mitsufuji
et al., "Music Demixing Challenge 2021", Frontiers in Signal Processing 2022, eq. 1, whose small
constant is added to both energies). SI-SDR first scales the reference to fit the estimate best
(J. Le Roux et al., "SDR - half-baked or well done?", ICASSP 2019, eqs. 5 and 6; with one factor for
all channels).
"""

from typing import Callable, Dict, Mapping, Sequence

import numpy as np

from .waveforms import Waveforms

_SMALL = 1e-7  # constant of the challenge: a silent source estimated as silence gets 0 dB
_PIECE = 1 << 18  # samples

#: (energies (J,) of reference and error, their inner product (J,)) -> figures (J,) in dB
Figure = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def score_song(
    references: Waveforms, estimates: Waveforms, metrics: Sequence[str]
) -> Dict[str, Dict[str, float]]:
    """Compute metrics of a whole song.

    Args:
        references, estimates: Waveforms of the same sources and length.
        metrics: Names in `SONG_METRICS`.

    Returns:
        Figures in dB by source and metric.
    """
    energy, error, product = np.zeros((3, len(references.sources)))
    estimates = estimates.select(references.sources)
    for start in range(0, references.n_samples, _PIECE) if metrics else ():
        n_samples = min(_PIECE, references.n_samples - start)
        reference = references.read(start, n_samples).astype(np.float64)
        difference = estimates.read(start, n_samples).astype(np.float64) - reference
        energy += np.square(reference).sum((1, 2))
        error += np.square(difference).sum((1, 2))
        product += (reference * difference).sum((1, 2))
    figures = {metric: SONG_METRICS[metric](energy, error, product) for metric in metrics}
    return {
        source: {metric: float(values[j]) for metric, values in figures.items()}
        for j, source in enumerate(references.sources)
    }


def _usdr(energy: np.ndarray, error: np.ndarray, product: np.ndarray) -> np.ndarray:
    return 10 * np.log10((energy + _SMALL) / (error + _SMALL))


def _si_sdr(energy: np.ndarray, error: np.ndarray, product: np.ndarray) -> np.ndarray:
    """SI-SDR (J,): NaN for a silent reference, infinite for a scaled copy of the reference."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 1 + product / energy
        rest = np.maximum(error - product**2 / energy, 0)
        return 10 * np.log10(scale**2 * energy / rest)


SONG_METRICS: Mapping[str, Figure] = {"uSDR": _usdr, "SI-SDR": _si_sdr}

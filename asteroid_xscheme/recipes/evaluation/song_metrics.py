"""References and estimates of a song -> one figure per source for the whole song.

uSDR is the SDR of the Music Demixing Challenges: 10 log10 of the energy of the reference over that
of the error, over all samples and channels of a song, then the mean over songs (Y. Mitsufuji et
al., "Music Demixing Challenge 2021", Frontiers in Signal Processing 2022, eq. 1; its small
constant is added to both energies). SI-SDR scales the reference first, by the factor that fits the
estimate best (J. Le Roux et al., "SDR - half-baked or well done?", ICASSP 2019, eqs. 5 and 6; one
factor for all channels).
"""

from typing import Callable, Dict, Mapping, Sequence

import numpy as np

from .waveforms import Waveforms

_SMALL = 1e-7  # of the challenge: a silent source that is estimated as silence gets 0 dB
_PIECE = 1 << 18  # samples

#: energies (J,) of reference and error, and their product -> figures (J,)
Figure = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def score_song(
    references: Waveforms, estimates: Waveforms, metrics: Sequence[str]
) -> Dict[str, Dict[str, float]]:
    """By source and metric of `SONG_METRICS`, a figure in dB.

    Args:
        references, estimates: Of the same sources and length.
        metrics: Names of the metrics.
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
    """NaN of a silent reference, infinite of a scaled one."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 1 + product / energy
        rest = np.maximum(error - product**2 / energy, 0)
        return 10 * np.log10(scale**2 * energy / rest)


SONG_METRICS: Mapping[str, Figure] = {"uSDR": _usdr, "SI-SDR": _si_sdr}

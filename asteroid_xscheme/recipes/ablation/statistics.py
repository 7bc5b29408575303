"""Statistics of trainings with several seeds: means, paired differences and their significance.

Scores are SDRs in dB for each seed, track and source: arrays (S, K, J), NaN if undefined. Two rows
are compared in pairs: the same track, separated by models of the same seed.

All tracks of a model depend on the same training, so the pairs are not independent samples, and a
test over all of them would be overconfident. The interval therefore resamples seeds and tracks
independently (the pigeonhole bootstrap of A. B. Owen, Annals of Applied Statistics 1(2), 2007), and
a difference counts as significant only if both the test and the interval say so. Tests of several
rows are corrected together (S. Holm, Scandinavian Journal of Statistics 6, 1979).
"""

from dataclasses import dataclass
from typing import Dict, List, Mapping, Sequence, Tuple

import numpy as np
from scipy import stats

LEVEL = 0.05  # of significance
_RESAMPLES = 5000


@dataclass(frozen=True)
class Comparison:
    """The difference between a row and the baseline, or between the rows of several pairs.

    Attributes:
        mean: Mean difference over tracks and seeds in dB, averaged over sources.
        low, high: 95 % interval of the mean in dB.
        p: Two-sided p-value of Wilcoxon's signed-rank test, corrected for the number of comparisons
            made together.
    """

    mean: float
    low: float
    high: float
    p: float

    @property
    def verdict(self) -> str:
        """ "better", "worse" or "not significant"; without enough data, "not testable"."""
        if not np.isfinite([self.mean, self.low, self.high, self.p]).all():
            return "not testable"
        if self.p >= LEVEL or self.low <= 0 <= self.high:
            return "not significant"
        return "better" if self.low > 0 else "worse"


def over_seeds(scores: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of a row's figures over seeds.

    Args:
        scores: (S, K, J).

    Returns:
        Mean and sample standard deviation of `model_figures`, (J + 1,) each; the deviation is NaN
        for a single seed.
    """
    figures = np.array([model_figures(of_seed) for of_seed in scores])
    if len(figures) == 1:
        return figures[0], np.full(figures.shape[1], np.nan)
    return figures.mean(axis=0), figures.std(axis=0, ddof=1)


def model_figures(scores: np.ndarray) -> np.ndarray:
    """Medians over tracks of the scores (K, J) of one model and, last, their mean: (J + 1,)."""
    medians = np.array([_of_defined(np.median, of_source) for of_source in scores.T])
    return np.append(medians, _of_defined(np.mean, medians))


def paired_differences(scores: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """Differences between tracks, averaged over the sources that are scored in both.

    Args:
        scores, baseline: (S, K, J).

    Returns:
        (S, K), NaN if no source is scored in both.

    Raises:
        ValueError: If seeds, tracks or sources are not the same.
    """
    if scores.shape != baseline.shape:
        raise ValueError(f"Expected pairs of scores, got {scores.shape} and {baseline.shape}.")
    return _mean_of_defined(scores - baseline, axis=(-1,))


def signed_rank_p(differences: np.ndarray) -> float:
    """Two-sided p of Wilcoxon's signed-rank test that differences are symmetric about 0.

    Args:
        differences: Of any shape; NaN are left out.

    Returns:
        p; 1 if all are 0, NaN if there is none.
    """
    defined = differences[~np.isnan(differences)]
    if not len(defined):
        return float("nan")
    if not defined.any():
        return 1.0
    return float(stats.wilcoxon(defined).pvalue)


def interval(
    differences: np.ndarray, seed: int = 0, n_resamples: int = _RESAMPLES
) -> Tuple[float, float]:
    """95 % bootstrap interval of the mean of differences, over seeds and tracks.

    Args:
        differences: (S, K); NaN is left out, and an axis of length 1 is not resampled.
        seed: Seed of the bootstrap.
        n_resamples: Number of times to resample seeds and tracks.

    Returns:
        Ends of the interval; NaN for a single difference, or if a resample has no defined value.
    """
    axes = [axis for axis, length in enumerate(differences.shape) if length > 1]
    if not axes:
        return float("nan"), float("nan")

    def mean_of_drawn(*drawn: np.ndarray, axis: int = -1) -> np.ndarray:
        indices = [np.zeros_like(drawn[0][..., :1], dtype=int)] * 2
        for of_axis, chosen in zip(axes, drawn):
            indices[of_axis] = chosen.astype(int)
        chosen = differences[indices[0][..., :, None], indices[1][..., None, :]]
        return _mean_of_defined(chosen, axis=(-2, -1))

    result = stats.bootstrap(
        [np.arange(differences.shape[axis]) for axis in axes],
        mean_of_drawn,
        n_resamples=n_resamples,
        vectorized=True,
        method="percentile",  # BCa needs more seeds than anyone trains
        rng=np.random.default_rng(seed),
    )
    low, high = result.confidence_interval
    return float(low), float(high)


def holm(p_values: Sequence[float]) -> List[float]:
    """p-values corrected for their number by Holm's method; NaN values stay and do not count.

    >>> [round(p, 3) for p in holm([0.04, 0.01, 0.5])]
    [0.08, 0.03, 0.5]
    """
    corrected = np.array(p_values, dtype=float)
    order = [i for i in np.argsort(corrected) if not np.isnan(corrected[i])]
    largest = 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, corrected[i] * (len(order) - rank)))
        corrected[i] = largest
    return corrected.tolist()


def compare(scores: Mapping[str, np.ndarray], baseline: str) -> Dict[str, Comparison]:
    """Compare every other row with the baseline.

    Args:
        scores: Scores (S, K, J) by row.
        baseline: Name of the row to compare with.

    Returns:
        The comparisons by row.
    """
    return _tested(
        {
            name: paired_differences(of_row, scores[baseline])
            for name, of_row in scores.items()
            if name != baseline
        }
    )


def compare_pairs(
    scores: Mapping[str, np.ndarray], pairs: Mapping[str, Sequence[Tuple[str, str]]]
) -> Dict[str, Comparison]:
    """Compute the main effect of each thing: the difference averaged over pairs of rows.

    Several pairs distinguish an effect from random variation between trainings better than one.

    Args:
        scores: Scores (S, K, J) by row.
        pairs: By thing, the names of the rows without and with it.

    Returns:
        The comparisons by thing.
    """
    differences = {
        thing: np.stack([paired_differences(scores[on], scores[off]) for off, on in of_thing])
        for thing, of_thing in pairs.items()
    }
    return _tested({thing: _mean_of_defined(d, axis=(0,)) for thing, d in differences.items()})


def _tested(differences: Mapping[str, np.ndarray]) -> Dict[str, Comparison]:
    """Comparisons from differences (S, K), with p-values corrected together."""
    p_values = holm([signed_rank_p(of_name) for of_name in differences.values()])
    return {
        name: Comparison(_of_defined(np.mean, of_name.ravel()), *interval(of_name), p)
        for (name, of_name), p in zip(differences.items(), p_values)
    }


def _of_defined(statistic, values: np.ndarray) -> float:
    defined = values[~np.isnan(values)]
    return float(statistic(defined)) if len(defined) else float("nan")


def _mean_of_defined(values: np.ndarray, axis: Tuple[int, ...]) -> np.ndarray:
    defined = ~np.isnan(values)
    total = np.where(defined, values, 0.0).sum(axis=axis)
    number = defined.sum(axis=axis)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)

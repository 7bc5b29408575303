"""Choose which seconds of a song to present: a typical excerpt, and the worst seconds."""

from dataclasses import dataclass
from typing import List, Mapping, Optional, Sequence, Tuple

import numpy as np

Frames = Mapping[str, Sequence[Optional[float]]]


@dataclass(frozen=True)
class WorstSecond:
    """The second of a song in which the estimate of a source has the lowest SDR in dB."""

    source: str
    second: int
    sdr: float


def choose_excerpt(frames: Frames, n_seconds: int) -> Tuple[int, int]:
    """Choose a typical excerpt of a song.

    Among the excerpts with the most scored frames, it is the one whose median SDR is closest to
    that of the song.

    Args:
        frames: SDR in dB of every second, by source.
        n_seconds: Length of the excerpt in seconds.

    Returns:
        First and last second (exclusive).
    """
    values = _array(frames)
    total = values.shape[1]
    if total <= n_seconds:
        return 0, total
    windows = np.lib.stride_tricks.sliding_window_view(values, n_seconds, axis=1)
    windows = windows.swapaxes(0, 1).reshape(total - n_seconds + 1, -1)
    defined = (~np.isnan(windows)).sum(1)
    medians = np.array([_median(window) for window in windows])
    distance = np.nan_to_num(abs(medians - _median(values)), nan=np.inf)
    start = int(np.lexsort((distance, -defined))[0])
    return start, start + n_seconds


def worst_seconds(frames: Frames) -> List[WorstSecond]:
    """The second with the lowest SDR for every source that was scored, the worst source first."""
    worst = []
    for source, values in zip(frames, _array(frames)):
        if not np.isnan(values).all():
            second = int(np.nanargmin(values))
            worst.append(WorstSecond(source, second, float(values[second])))
    return sorted(worst, key=lambda each: each.sdr)


def _array(frames: Frames) -> np.ndarray:
    """(J, N), NaN where undefined."""
    return np.array([list(values) for values in frames.values()], dtype=float)


def _median(values: np.ndarray) -> float:
    return float(np.median(values[~np.isnan(values)])) if not np.isnan(values).all() else np.nan

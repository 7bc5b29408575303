"""Draw a finished grid: the figures of every seed, and differences with their intervals."""

import textwrap
from pathlib import Path

import numpy as np

from ..evaluation import STATIC_FILTER
from .cells import AblationError
from .results import Study

_CERTAIN, _UNCERTAIN, _REFERENCE = "#1f5fa8", "#888888", "#c0392b"


def draw(study: Study, path: Path) -> None:
    """Write the picture of a grid.

    On the left: the average SDR of every row, with a dot per seed and a line at the mean, and the
    static filter. On the right: the difference from the baseline with its interval, in colour if it
    is significant.

    Args:
        study: The finished grid.
        path: File to write; its suffix determines the format.

    Raises:
        AblationError: If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise AblationError(
            "Drawing the results needs matplotlib: pip install 'asteroid_xscheme[recipes]'."
        ) from None
    figure = Figure(figsize=(10, 1.8 + 0.42 * len(study.rows)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _draw_figures(left, study)
    _draw_differences(right, study)
    left.set_yticks(range(len(study.rows)), list(study.rows))
    left.invert_yaxis()
    figure.suptitle(study.title)
    conditions = "; ".join(f"{name}: {value}" for name, value in study.conditions.items())
    figure.supxlabel(textwrap.fill(conditions, 150), fontsize=7)
    figure.savefig(path, dpi=150)


def _draw_figures(axes, study: Study) -> None:
    for y, row in enumerate(study.rows.values()):
        averages = row.figures[:, -1]
        axes.plot(averages, np.full(len(averages), y), "o", color=_UNCERTAIN, markersize=5)
        axes.plot([row.mean[-1]] * 2, [y - 0.25, y + 0.25], color="black")
    static = study.references[STATIC_FILTER][-1]
    axes.axvline(static, color=_REFERENCE, linestyle="--")
    beside = axes.get_xaxis_transform()
    axes.text(static, 0.02, f" {STATIC_FILTER}", color=_REFERENCE, fontsize=8, transform=beside)
    axes.set_xlabel("average SDR in dB, one dot per seed")
    axes.grid(axis="x", alpha=0.3)


def _draw_differences(axes, study: Study) -> None:
    axes.axvline(0, color="black", linewidth=1)
    for y, row in enumerate(study.rows.values()):
        found = row.comparison
        if found is None or np.isnan(found.mean):
            continue
        color = _CERTAIN if found.verdict in ("better", "worse") else _UNCERTAIN
        axes.plot(found.mean, y, "o", color=color)
        if np.isfinite(found.low):
            axes.plot([found.low, found.high], [y, y], color=color, linewidth=2)
    axes.set_xlabel(f"difference from {study.baseline} in dB, 95 % interval; grey: not significant")
    axes.grid(axis="x", alpha=0.3)

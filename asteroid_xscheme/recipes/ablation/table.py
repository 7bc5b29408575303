"""Write the table of a finished grid, and the notes that explain it, as Markdown."""

from typing import List, Optional, Sequence

import numpy as np

from ..markdown import markdown_table
from .results import RowResult, Study
from .statistics import LEVEL, Comparison

_BLANK = "-"
_ENOUGH_SEEDS = 3
_EFFECTS = (
    "The effect of each of the three, averaged over all pairs of rows that differ in nothing else, "
    "with the same test:"
)


def to_markdown(study: Study, picture: str) -> str:
    """The page of a grid.

    Args:
        study: The finished grid.
        picture: File name of the picture, which the page links to.
    """
    parts = [f"# {study.title}", _table(study)]
    if study.is_at_equaliser_level:
        parts.append(
            "**No row is 1 dB above the static filter.** Models that do little more than an "
            "equaliser cannot show whether bridges and losses help: train longer, or train larger "
            "models, before reading anything into the differences."
        )
    if len(study.seeds) < _ENOUGH_SEEDS:
        parts.append(
            f"**{len(study.seeds)} of at least {_ENOUGH_SEEDS} seeds.** The differences hold for "
            "these trained models. Whether they are due to the rows or to chance is not known."
        )
    parts.append(summary(study))
    if _has_more_than_the_rows(study):
        parts += [_EFFECTS, _effects_table(study)]
    parts += [_reading(study), f"![{study.title}]({picture})", _conditions(study)]
    return "\n\n".join(parts) + "\n"


def summary(study: Study) -> str:
    """A sentence for each verdict: which rows are better, worse or not significantly different."""
    by_verdict: dict = {}
    for name, row in study.rows.items():
        if row.comparison is not None:
            by_verdict.setdefault(row.comparison.verdict, []).append(name)
    words = {
        "better": "Better than {}: {}.",
        "worse": "Worse than {}: {}.",
        "not significant": "Not significantly different from {}: {}.",
        "not testable": "Too few tracks and seeds to compare with {}: {}.",
    }
    return " ".join(
        sentence.format(study.baseline, ", ".join(by_verdict[verdict]))
        for verdict, sentence in words.items()
        if verdict in by_verdict
    )


def _has_more_than_the_rows(study: Study) -> bool:
    """Whether the effects add anything to the comparisons with the baseline."""
    pairs = [pair for effect in study.effects.values() for pair in effect.pairs]
    return any(without != study.baseline for without, _ in pairs)


def _effects_table(study: Study) -> str:
    header = ["SDR in dB", "difference", "95 % interval", "p", "verdict", "pairs of rows"]
    rows = [
        [name, *_comparison(effect.comparison), str(len(effect.pairs))]
        for name, effect in study.effects.items()
    ]
    return markdown_table(header, rows)


def _table(study: Study) -> str:
    against = study.baseline
    header = ["SDR in dB", *study.sources, "average", f"difference from {against}"]
    header += ["95 % interval", "p", "verdict", "parameters", "training", "inference"]
    rows = [
        [name, *(_decibel(figure) for figure in figures), *[_BLANK] * 7]
        for name, figures in study.references.items()
    ]
    rows += [_cells(name, row) for name, row in study.rows.items()]
    return markdown_table(header, rows)


def _cells(name: str, row: RowResult) -> List[str]:
    figures = [_with_deviation(m, d) for m, d in zip(row.mean, row.deviation)]
    return [
        name,
        *figures,
        *_comparison(row.comparison),
        f"{row.parameters / 1e6:.2f} M",
        f"{row.training_seconds:.0f} s",
        f"{row.seconds_per_minute:.2f} s",
    ]


def _comparison(found: Optional[Comparison]) -> Sequence[str]:
    if found is None:
        return [_BLANK] * 4
    interval = _BLANK if np.isnan(found.low) else f"{found.low:+.2f} to {found.high:+.2f}"
    p = _BLANK if np.isnan(found.p) else "< 0.001" if found.p < 0.001 else f"{found.p:.3f}"
    return [_BLANK if np.isnan(found.mean) else f"{found.mean:+.2f}", interval, p, found.verdict]


def _reading(study: Study) -> str:
    n_seeds, n_tracks = len(study.seeds), len(study.tracks)
    return (
        f"SDR of BSSEval v4: median over frames, then over {n_tracks} tracks; mean ± standard "
        f"deviation over {n_seeds} seed{'s' if n_seeds > 1 else ''}; the average is over sources. "
        "Mixture, static filter and oracle need no training. Difference: mean over tracks and "
        "seeds, each compared with the same track and seed of the other row. Interval: bootstrap "
        "that resamples both seeds and tracks, because all tracks of a model depend on the same "
        "training; with few seeds it tends to be too narrow. p: Wilcoxon's signed-rank test over "
        "tracks and seeds, corrected for the number of comparisons in a table (Holm). If p is "
        f"{LEVEL} or more, or the interval contains 0, a difference is not significant, which does "
        "not mean that there is none. Training: mean seconds of a training with its validation, "
        "with as many cells at once as stated below. Inference: seconds per minute of music, one "
        "model at a time."
    )


def _conditions(study: Study) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in study.conditions.items())


def _with_deviation(mean: float, deviation: float) -> str:
    return _decibel(mean) if np.isnan(deviation) else f"{_decibel(mean)} ± {deviation:.2f}"


def _decibel(value: float) -> str:
    return _BLANK if np.isnan(value) else f"{value:.2f}"

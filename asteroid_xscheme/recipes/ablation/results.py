"""Read finished cells: figures, comparisons and cost by row, and the conditions."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from ...atomic import read_json
from ..evaluation import STATIC_FILTER
from .cells import CELL, INFERENCE, SCORES, AblationError, read_scores
from .grid import Cell, effect_pairs
from .statistics import Comparison, compare, compare_pairs, model_figures, over_seeds

_NEAR_STATIC_FILTER = 1.0  # dB above it; a model below is little more than an equaliser


@dataclass(frozen=True)
class RowResult:
    """A row of a finished grid.

    Attributes:
        figures: SDR in dB by seed, of each source and, last, their mean: (S, J + 1).
        mean, deviation: Mean and standard deviation of the figures over seeds, (J + 1,).
        comparison: Comparison with the baseline; None for the baseline itself.
        parameters: Number of parameters of the model.
        training_seconds: Duration of a training, mean over seeds.
        seconds_per_minute: Seconds to separate a minute of music.
    """

    figures: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    comparison: Optional[Comparison]
    parameters: int
    training_seconds: float
    seconds_per_minute: float


@dataclass(frozen=True)
class Effect:
    """The main effect of bridges, MDL or CL, averaged over the settings of the other two.

    Attributes:
        pairs: Names of the rows without and with it.
        comparison: Comparison of the rows with it to those without it, over all pairs.
    """

    pairs: List[Tuple[str, str]]
    comparison: Comparison


@dataclass(frozen=True)
class Study:
    """A finished grid.

    Attributes:
        title: Description of what was compared.
        baseline: Name of the row that the others are compared with.
        sources: Names of the J sources, in the order of the figures.
        tracks: Names of the test tracks.
        seeds: The seeds.
        references: Figures (J + 1,) of the mixture, the static filter and the oracle, by name.
        rows: Results by row, in the order of the grid.
        effects: Effects of bridge, MDL and CL, if there are pairs of rows.
        conditions: Other facts that a reader needs, by name.
    """

    title: str
    baseline: str
    sources: List[str]
    tracks: List[str]
    seeds: List[int]
    references: Dict[str, np.ndarray]
    rows: Dict[str, RowResult]
    effects: Dict[str, Effect]
    conditions: Dict[str, str]

    @property
    def is_at_equaliser_level(self) -> bool:
        """Whether no row is well above the static filter, so that the grid shows little."""
        best = max(row.mean[-1] for row in self.rows.values())
        return bool(best < self.references[STATIC_FILTER][-1] + _NEAR_STATIC_FILTER)

    def to_dict(self) -> Dict[str, Any]:
        """Everything as plain values for JSON; undefined values are None."""
        names = [*self.sources, "average"]
        return {
            "title": self.title,
            "baseline": self.baseline,
            "tracks": self.tracks,
            "seeds": self.seeds,
            "conditions": self.conditions,
            "sdr_of_references": {
                name: _named(names, figures) for name, figures in self.references.items()
            },
            "rows": {name: self._row_to_dict(names, row) for name, row in self.rows.items()},
            "effects": {
                name: {"pairs": effect.pairs, "difference": _comparison_to_dict(effect.comparison)}
                for name, effect in self.effects.items()
            },
        }

    def _row_to_dict(self, names: List[str], row: RowResult) -> Dict[str, Any]:
        return {
            "sdr_mean": _named(names, row.mean),
            "sdr_deviation": _named(names, row.deviation),
            "sdr_by_seed": {
                str(seed): _named(names, figures) for seed, figures in zip(self.seeds, row.figures)
            },
            "difference": row.comparison and _comparison_to_dict(row.comparison),
            "parameters": row.parameters,
            "training_seconds": row.training_seconds,
            "inference_seconds_per_minute": row.seconds_per_minute,
        }


def read_study(
    title: str, cells: Sequence[Cell], baselines: Path, conditions: Mapping[str, str]
) -> Study:
    """Read the results of finished cells; the first row is the baseline.

    Args:
        title: Description of what is compared.
        cells: All rows with all seeds.
        baselines: Folder of the scores of the mixture, the static filter and the oracle.
        conditions: Facts that a reader needs, by name; the commits of the cells are added.

    Raises:
        AblationError: If cells were scored on different tracks.
    """
    sources = list(cells[0].config.data.sources)
    references = read_scores(baselines / SCORES)
    tracks = sorted(next(iter(references.values())))
    names = list(dict.fromkeys(cell.row.name for cell in cells))
    by_row = {name: [cell for cell in cells if cell.row.name == name] for name in names}
    scores = {
        name: np.array([_scores_of_cell(cell, tracks, sources) for cell in of_row])
        for name, of_row in by_row.items()
    }
    comparisons = compare(scores, names[0])
    pairs = effect_pairs([of_row[0].row for of_row in by_row.values()])
    effects = compare_pairs(scores, pairs)
    commits = {str(read_json(cell.folder / CELL)["commit"]) for cell in cells}
    return Study(
        title,
        names[0],
        sources,
        tracks,
        list(dict.fromkeys(cell.seed for cell in cells)),
        {
            name: model_figures(_array(of_system, tracks, sources))
            for name, of_system in references.items()
        },
        {name: _row(by_row[name], scores[name], comparisons.get(name)) for name in names},
        {name: Effect(pairs[name], comparison) for name, comparison in effects.items()},
        {"commit of the cells": ", ".join(sorted(commits)), **conditions},
    )


def _row(cells: Sequence[Cell], scores: np.ndarray, comparison: Optional[Comparison]) -> RowResult:
    inference = read_json(cells[0].folder / INFERENCE)
    seconds = [read_json(cell.folder / CELL)["training_seconds"] for cell in cells]
    return RowResult(
        np.array([model_figures(of_seed) for of_seed in scores]),
        *over_seeds(scores),
        comparison,
        inference["parameters"],
        float(np.mean(seconds)),
        inference["seconds_per_minute"],
    )


def _scores_of_cell(cell: Cell, tracks: Sequence[str], sources: Sequence[str]) -> np.ndarray:
    (scores,) = read_scores(cell.folder / SCORES).values()
    if sorted(scores) != list(tracks):
        raise AblationError(
            f"{cell.folder} has scores of the tracks {', '.join(sorted(scores))}, expected "
            f"{', '.join(tracks)}: the test tracks have changed. Choose another --exp_dir."
        )
    return _array(scores, tracks, sources)


def _array(
    scores: Mapping[str, Mapping[str, float]], tracks: Sequence[str], sources: Sequence[str]
) -> np.ndarray:
    """Scores (K, J) of one system."""
    return np.array([[scores[track][source] for source in sources] for track in tracks])


def _comparison_to_dict(comparison: Comparison) -> Dict[str, Any]:
    values = {name: _plain(value) for name, value in asdict(comparison).items()}
    return {**values, "verdict": comparison.verdict}


def _named(names: Sequence[str], figures: np.ndarray) -> Dict[str, Optional[float]]:
    return {name: _plain(value) for name, value in zip(names, figures)}


def _plain(value: float) -> Optional[float]:
    return float(value) if np.isfinite(value) else None

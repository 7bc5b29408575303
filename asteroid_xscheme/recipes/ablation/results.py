"""Finished cells -> what a table needs: figures by row, comparisons, cost, and conditions."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from ...atomic import read_json
from .cells import CELL, INFERENCE, SCORES, AblationError, read_scores
from .grid import Cell, effect_pairs
from .statistics import Comparison, compare, compare_pairs, model_figures, over_seeds

#: asteroid_xscheme.recipes.evaluation's names of what every model is compared with
STATIC_FILTER = "static filter"
_NEAR_STATIC_FILTER = 1.0  # dB; below, a model is little more than an equaliser


@dataclass(frozen=True)
class RowResult:
    """A row of a finished grid.

    Attributes:
        figures: By seed, SDR in dB of each source and their mean, (S, J + 1).
        mean, deviation: Of the figures over seeds, (J + 1,).
        comparison: To the baseline; None for the baseline itself.
        parameters: Number of the model's.
        training_seconds: Mean over seeds.
        seconds_per_minute: To separate a minute of music.
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
    """What bridges, MDL or CL bring, whatever the others are.

    Attributes:
        pairs: Names of the rows without and with it.
        comparison: With it to without it, over all pairs.
    """

    pairs: List[Tuple[str, str]]
    comparison: Comparison


@dataclass(frozen=True)
class Study:
    """A finished grid.

    Attributes:
        title: What was compared.
        baseline: Name of the row that others are compared with.
        sources: Order of the figures.
        tracks: The test tracks.
        seeds: The seeds.
        references: Figures (J + 1,) of mixture, static filter and oracle.
        rows: By name, in the order of the grid.
        effects: Of bridge, MDL and CL, as far as there are pairs of rows.
        conditions: What else a reader has to know, in words.
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
        """Whether no row is well above the static filter: then the grid means little."""
        best = max(row.mean[-1] for row in self.rows.values())
        return bool(best < self.references[STATIC_FILTER][-1] + _NEAR_STATIC_FILTER)

    def to_dict(self) -> Dict[str, Any]:
        """Everything as plain values, for JSON; what is undefined is None."""
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
    """The results of finished cells.

    The first row is the baseline.

    Args:
        title: What is compared.
        cells: All rows with all seeds.
        baselines: Folder of the mixture's, the static filter's and the oracle's scores.
        conditions: What a reader has to know; the commits of the cells are added.

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
            f"{cell.folder} has scores of {sorted(scores)}, expected {list(tracks)}: the test "
            "tracks have changed. Choose another --exp_dir."
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

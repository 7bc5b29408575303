"""How good are separated sources? Scores, tables, and runs over test tracks."""

from .run import Scoring, evaluate_baselines, evaluate_separation
from .scores import BSS_EVAL, METRICS, TrackScores, score_track
from .table import (
    average,
    flat,
    metrics_table,
    of_track,
    of_tracks,
    results_text,
    systems_table,
    write_csv,
)

__all__ = [
    "BSS_EVAL",
    "METRICS",
    "Scoring",
    "TrackScores",
    "average",
    "evaluate_baselines",
    "evaluate_separation",
    "flat",
    "metrics_table",
    "of_track",
    "of_tracks",
    "results_text",
    "score_track",
    "systems_table",
    "write_csv",
]

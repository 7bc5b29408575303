"""How good are separated sources? Scores, tables, and runs over test tracks."""

from .bss_eval import fast_bss_eval
from .run import Scoring, ScoringError, evaluate_baselines, evaluate_separation
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
from .waveforms import Waveforms

__all__ = [
    "BSS_EVAL",
    "METRICS",
    "Scoring",
    "ScoringError",
    "TrackScores",
    "Waveforms",
    "average",
    "evaluate_baselines",
    "evaluate_separation",
    "fast_bss_eval",
    "flat",
    "metrics_table",
    "of_track",
    "of_tracks",
    "results_text",
    "score_track",
    "systems_table",
    "write_csv",
]

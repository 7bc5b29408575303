"""How good are separated sources? Scores, tables, and runs over test tracks."""

from .bss_eval import fast_bss_eval
from .record import describe_machine, find_commit, subset_record, write_record
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
    "describe_machine",
    "evaluate_baselines",
    "evaluate_separation",
    "fast_bss_eval",
    "find_commit",
    "flat",
    "metrics_table",
    "of_track",
    "of_tracks",
    "results_text",
    "score_track",
    "subset_record",
    "systems_table",
    "write_csv",
    "write_record",
]

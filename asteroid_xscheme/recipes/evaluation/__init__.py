"""Score separated sources: metrics, tables, and evaluations of systems on test tracks."""

from .bss_eval import fast_bss_eval
from .errors import ScoringError
from .published import PUBLISHED, Published
from .record import subset_record, write_record
from .run import (
    BASELINES,
    ORACLE,
    STATIC_FILTER,
    evaluate_baselines,
    evaluate_estimates,
    evaluate_separation,
)
from .scores import BSS_EVAL, METRICS, TrackScores, score_track
from .scoring import METRIC_NAMES, Scoring
from .systems import Evaluation, System, TestData, estimates_system, evaluate, model_system
from .table import (
    all_figures,
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
    "BASELINES",
    "BSS_EVAL",
    "Evaluation",
    "METRICS",
    "METRIC_NAMES",
    "ORACLE",
    "PUBLISHED",
    "STATIC_FILTER",
    "Published",
    "Scoring",
    "ScoringError",
    "System",
    "TestData",
    "TrackScores",
    "Waveforms",
    "all_figures",
    "average",
    "estimates_system",
    "evaluate",
    "evaluate_baselines",
    "evaluate_estimates",
    "evaluate_separation",
    "fast_bss_eval",
    "flat",
    "metrics_table",
    "model_system",
    "of_track",
    "of_tracks",
    "results_text",
    "score_track",
    "subset_record",
    "systems_table",
    "write_csv",
    "write_record",
]

"""Figures of a system against museval's aggregation, and the tables that show them."""

import csv
import json

import numpy as np
import pytest
from museval import EvalStore
from museval.aggregate import json2df

from asteroid_xscheme.recipes.evaluation import (
    METRICS,
    TrackScores,
    average,
    flat,
    metrics_table,
    of_tracks,
    results_text,
    systems_table,
    write_csv,
)

SOURCES = ("bass", "vocals")


def make_scores(n_tracks, seed):
    """Scores of tracks of 3 to n + 2 frames, some of them undefined."""
    generator = np.random.default_rng(seed)
    tracks = []
    for i in range(n_tracks):
        frames = {s: {m: generator.normal(5, 3, i + 3) for m in METRICS} for s in SOURCES}
        for values in frames[SOURCES[i % 2]].values():
            values[i % 3] = np.nan
        tracks.append(TrackScores(f"song {i}", frames))
    return tracks


@pytest.mark.parametrize("over_frames", ["median", "mean"])
def test_figures_equal_those_of_museval(tmp_path, over_frames):
    tracks = make_scores(4, seed=0)
    store = EvalStore(frames_agg=over_frames, tracks_agg="median")
    for track in tracks:
        track.save(tmp_path / "scores.json")
        store.add_track(json2df(json.loads((tmp_path / "scores.json").read_text()), track.track))
    expected = store.agg_frames_tracks_scores()
    figures = of_tracks(tracks, over_frames)
    for source in SOURCES:
        for metric in METRICS:
            assert figures[source][metric] == pytest.approx(expected[source][metric], abs=1e-12)


def test_track_without_any_score_is_left_out():
    tracks = make_scores(3, seed=1)
    empty = TrackScores("silence", {s: {m: np.full(3, np.nan) for m in METRICS} for s in SOURCES})
    assert of_tracks([*tracks, empty]) == of_tracks(tracks)


def test_source_without_any_score_has_no_figure():
    empty = TrackScores("silence", {"bass": {m: np.full(3, np.nan) for m in METRICS}})
    figures = of_tracks([empty])
    assert np.isnan(figures["bass"]["SDR"]) and np.isnan(average(figures))
    assert (
        metrics_table(figures, "x").splitlines()[-1].split() == "| bass | - | - | - | - |".split()
    )


def test_average_is_the_mean_over_sources():
    figures = {"bass": {"SDR": 2.0}, "vocals": {"SDR": 5.0}}
    assert average(figures) == 3.5


def test_flat_figures_have_asteroids_names():
    assert flat({"vocals": {"SDR": 6.6, "ISR": 12.0}}) == {"sdr_vocals": 6.6, "isr_vocals": 12.0}


def test_table_has_a_row_for_each_system_in_order():
    systems = {
        "mixture": {"bass": {"SDR": -6.123}, "vocals": {"SDR": -5.0}},
        "X-UMX": {"bass": {"SDR": 5.0}, "vocals": {"SDR": 6.5}},
    }
    assert systems_table(systems).splitlines() == [
        "| SDR in dB |  bass | vocals | average |",
        "| --------- | ----: | -----: | ------: |",
        "| mixture   | -6.12 |  -5.00 |   -5.56 |",
        "| X-UMX     |  5.00 |   6.50 |    5.75 |",
    ]


def test_results_end_with_all_metrics_of_the_last_system():
    scores = {"mixture": make_scores(2, seed=2), "X-UMX": make_scores(2, seed=3)}
    text = results_text("2 test tracks of demo", scores, ["X-UMX"])
    assert text.startswith("## 2 test tracks of demo")
    assert text.count("X-UMX: ") == 2 and "mixture: " not in text
    assert metrics_table(of_tracks(scores["X-UMX"]), "X-UMX: median") in text


def test_csv_has_a_row_for_each_system_track_and_source(tmp_path):
    scores = {"mixture": make_scores(2, seed=2), "X-UMX": make_scores(2, seed=3)}
    write_csv(scores, tmp_path / "all.csv")
    with open(tmp_path / "all.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    assert rows[-1]["system"] == "X-UMX" and rows[-1]["track"] == "song 1"
    expected = np.nanmedian(scores["X-UMX"][1].frames["vocals"]["SDR"])
    assert float(rows[-1]["SDR_median"]) == pytest.approx(expected, abs=1e-4)

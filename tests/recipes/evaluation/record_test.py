"""The record of an evaluation, as the report reads it."""

import numpy as np
import pytest

from asteroid_xscheme.recipes.data import Track
from asteroid_xscheme.recipes.evaluation import (
    METRICS,
    TrackScores,
    describe_machine,
    subset_record,
    write_record,
)
from asteroid_xscheme.recipes.report import read_record
from asteroid_xscheme.version import __version__

SOURCES = ["bass", "vocals"]


@pytest.fixture
def track(tmp_path):
    root = tmp_path / "songs"
    files = {"bass": (root / "test/a/bass1.wav", root / "test/a/bass2.wav")}
    return Track("a", root, "test", 44100, 2, 88200, files)


@pytest.fixture
def record(track, tmp_path):
    """The record of a run that wrote an estimate of the bass only."""
    run = tmp_path / "exp" / "run"
    estimate = run / "evaluation" / "estimates" / "a" / "bass.wav"
    estimate.parent.mkdir(parents=True)
    estimate.touch()
    bass = {metric: np.array([1.0, np.nan, 3.0]) for metric in METRICS}
    vocals = {metric: np.full(3, np.nan) for metric in METRICS}
    scores = {"X-UMX": [TrackScores("a", {"bass": bass, "vocals": vocals})]}
    (run / "seconds.json").write_text('{"0": 3600, "1": 1800}')
    subset = subset_record("1 song", run, [track], SOURCES, scores)
    write_record(run, "X-UMX", "demo", SOURCES, "seed 42", {"test": subset})
    return read_record(run)


def test_record_names_files_wherever_the_run_lies(record, track, tmp_path):
    (song,) = record.subsets["test"].tracks
    assert [path.resolve() for path in song.references["bass"]] == [
        tmp_path / "songs/test/a/bass1.wav",
        tmp_path / "songs/test/a/bass2.wav",
    ]
    assert song.references["vocals"] == []
    assert song.mixture.resolve() == track.mixture_file
    assert list(song.estimates) == ["bass"]


def test_record_holds_figures_and_seconds_and_nothing_for_undefined_ones(record):
    system = record.subsets["test"].systems["X-UMX"]
    assert system.figures["bass"]["SDR"] == 2.0
    assert system.figures["vocals"]["SIR"] is None
    assert system.frames["a"] == {"bass": [1.0, None, 3.0], "vocals": [None, None, None]}
    assert (record.name, record.dataset, record.conditions) == ("X-UMX", "demo", "seed 42")


def test_machine_is_described_with_version_and_commit():
    facts = describe_machine()
    assert facts["asteroid_xscheme"] == __version__
    assert facts["commit"] and "torch" in facts["packages"]


def test_record_says_how_long_the_run_was_trained(record):
    assert record.information["training"] == "1.50 hours, 2 epochs"


def test_run_without_a_clock_says_nothing_of_its_training(tmp_path):
    write_record(tmp_path, "X-UMX", "demo", SOURCES, "seed 42", {})
    assert "training" not in read_record(tmp_path).information

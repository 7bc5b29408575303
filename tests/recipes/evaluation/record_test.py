"""The record of an evaluation, as the report reads it."""

import numpy as np
import pytest
import soundfile

from asteroid_xscheme.recipes.data import find_tracks
from asteroid_xscheme.recipes.evaluation import (
    METRICS,
    TrackScores,
    subset_record,
    write_record,
)
from asteroid_xscheme.recipes.report import read_record

SOURCES = ["bass", "vocals"]


@pytest.fixture
def track(tmp_path):
    folder = tmp_path / "songs" / "test" / "a"
    folder.mkdir(parents=True)
    for name in ("bass1", "bass2", "mixture"):
        soundfile.write(folder / f"{name}.wav", np.zeros((3000, 2)), 1000)
    to_bass = {"bass1": "bass", "bass2": "bass"}
    (track,) = find_tracks(tmp_path / "songs", "test", SOURCES, source_map=to_bass)
    return track


@pytest.fixture
def record(track, tmp_path):
    """The record of a run that wrote an estimate of the bass only."""
    run = tmp_path / "exp" / "run"
    estimate = run / "evaluation" / "estimates" / "test" / "a" / "bass.wav"
    estimate.parent.mkdir(parents=True)
    estimate.touch()
    bass = {metric: np.array([1.0, np.nan, 3.0]) for metric in METRICS}
    vocals = {metric: np.full(3, np.nan) for metric in METRICS}
    scores = {"X-UMX": [TrackScores("a", {"bass": bass, "vocals": vocals})]}
    folder = run / "evaluation"
    subset = subset_record("1 song", folder, [track], {"a": {"bass": (estimate,)}}, scores)
    made_of = {"model": "sha256:1"}
    subsets = {"test": subset}
    write_record(folder / "record.json", "X-UMX", "demo", SOURCES, "seed 42", made_of, subsets)
    return read_record(run)


def test_record_locates_files_relative_to_the_run(record, track, tmp_path):
    (song,) = record.subsets["test"].tracks
    assert [path.resolve() for path in song.references["bass"]] == [
        tmp_path / "songs/test/a/bass1.wav",
        tmp_path / "songs/test/a/bass2.wav",
    ]
    assert song.references.get("vocals", []) == []
    assert [path.resolve() for path in song.mixture] == [track.mixture_file]
    assert list(song.estimates) == ["bass"]


def test_record_has_figures_and_frames_and_null_where_undefined(record):
    system = record.subsets["test"].systems["X-UMX"]
    assert system.figures["bass"]["SDR"] == 2.0
    assert system.figures["vocals"]["SIR"] is None
    assert system.frames["a"] == {"bass": [1.0, None, 3.0], "vocals": [None, None, None]}
    assert (record.name, record.dataset, record.conditions) == ("X-UMX", "demo", "seed 42")

"""An evaluated run of two short songs, with the files of stages 1 and 2."""

import json

import numpy as np
import pytest
import soundfile

from asteroid_xscheme.recipes.data import find_tracks
from asteroid_xscheme.recipes.evaluation import METRICS, TrackScores, subset_record, write_record
from asteroid_xscheme.recipes.identity import digest

RATE = 8000
SOURCES = ["bass", "vocals"]
MODEL = digest("a model")


def write_song(folder, n_seconds, generator):
    """Files of a song."""
    folder.mkdir(parents=True, exist_ok=True)
    waveforms = {s: 0.1 * generator.standard_normal((n_seconds * RATE, 2)) for s in SOURCES}
    for name, waveform in {**waveforms, "mixture": sum(waveforms.values())}.items():
        soundfile.write(folder / f"{name}.wav", waveform, RATE)


def song_scores(song, level, frames):
    """Scores of a song: SDR `frames` in the first source, and 1 dB more in each following one."""
    of_source = {}
    for i, source in enumerate(SOURCES):
        of_source[source] = {m: np.array(frames, float) + i + level - 5.0 for m in METRICS}
    return TrackScores(song, of_source)


def write_run(
    folder,
    name="X-UMX",
    level=5.0,
    songs=("First & last", "Second"),
    n_seconds=3,
    frames=None,
    seed=0,
):
    """A run's folder. Second 1 of the first source is the worst, second 0 is not scored."""
    generator = np.random.default_rng(seed)
    for song in songs:
        for place in ("songs/test", "estimates/test"):
            write_song(folder / "evaluation" / place / song, n_seconds, generator)
    frames = frames or [np.nan, -4.0, *[5.0] * (n_seconds - 2)]
    tracks = find_tracks(folder / "evaluation" / "songs", "test", SOURCES)
    estimates = find_tracks(folder / "evaluation" / "estimates", "test", SOURCES)
    scores = {
        "mixture": [song_scores(song, -5.0, [5.0] * n_seconds) for song in songs],
        name: [song_scores(song, level, frames) for song in songs],
    }
    subset = subset_record(
        "2 songs of demo",
        folder / "evaluation",
        tracks,
        {track.name: track.source_files for track in estimates},
        scores,
    )
    path = folder / "evaluation" / "record.json"
    write_record(path, name, "demo", SOURCES, "seed 42", {"model": MODEL}, {"test": subset})
    (folder / "conf.yml").write_text("data:\n  seed: 42  # abc<def>\n")
    (folder / "finished.json").write_text(json.dumps({"epochs": 3, "hours": 0.5, "weights": MODEL}))
    path = folder / "logs" / "metrics.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("epoch,loss_epoch,val_loss\n0,4.0,3.5\n1,3.0,2.5\n")
    return folder


@pytest.fixture
def make_run():
    """The function `write_run`."""
    return write_run


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A run's folder; not to be changed."""
    return write_run(tmp_path_factory.mktemp("exp") / "run")


@pytest.fixture(scope="session")
def page(run, tmp_path_factory):
    """The page of the run's report; not to be changed."""
    from asteroid_xscheme.recipes.report import write_report

    return write_report([run], tmp_path_factory.mktemp("report"))

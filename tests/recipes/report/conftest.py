"""An evaluated run of two short songs, as stage 2 leaves it on disk."""

import json

import numpy as np
import pytest
import soundfile

RATE = 8000
SOURCES = ["bass", "vocals"]
METRICS = ("SDR", "SIR", "ISR", "SAR")


def figures(level):
    return {source: {m: level + i for m in METRICS} for i, source in enumerate(SOURCES)}


def write_song(folder, n_seconds, generator):
    """Files of a song; returns what the record says of them, as seen from RUN/evaluation."""
    waveforms = {s: 0.1 * generator.standard_normal((n_seconds * RATE, 2)) for s in SOURCES}
    waveforms["mixture"] = sum(waveforms.values())
    for name, waveform in waveforms.items():
        for kind in ("references", "estimates"):
            path = folder / kind / f"{name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, waveform, RATE)
    return {
        "name": folder.name,
        "mixture": f"{folder.name}/references/mixture.wav",
        "references": {s: [f"{folder.name}/references/{s}.wav"] for s in SOURCES},
        "estimates": {s: f"{folder.name}/estimates/{s}.wav" for s in SOURCES},
    }


def write_run(folder, name="X-UMX", level=5.0, songs=("First & last", "Second"), n_seconds=3):
    """A run's folder. Second 1 of the first source is the worst, second 0 is not scored."""
    generator = np.random.default_rng(0)
    tracks = [write_song(folder / "evaluation" / song, n_seconds, generator) for song in songs]
    frames = {
        song: {
            s: [None, level - 9 + i, *[level + i] * (n_seconds - 2)] for i, s in enumerate(SOURCES)
        }
        for song in songs
    }
    systems = {
        "mixture": {"figures": figures(-5.0), "frames": frames},
        name: {"figures": figures(level), "frames": frames},
    }
    record = {
        "name": name,
        "dataset": "demo",
        "sources": SOURCES,
        "conditions": "seed 42",
        "information": {"commit": "abc<def>"},
        "subsets": {"test": {"title": "2 songs of demo", "tracks": tracks, "systems": systems}},
    }
    (folder / "evaluation" / "record.json").write_text(json.dumps(record))
    (folder / "conf.yml").write_text("data:\n  seed: 42\n")
    (folder / "finished.json").write_text('{"epochs": 3, "hours": 0.5}')
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

"""A stand-in for a grid's child processes that notes down its calls and leaves their files."""

import json

import numpy as np
import pytest

from asteroid_xscheme.recipes.ablation import AblationError, ablate, paper_rows
from asteroid_xscheme.recipes.config import Config
from asteroid_xscheme.recipes.evaluation import METRICS, TrackScores, write_csv

TRACKS = [f"track {i}" for i in range(6)]
SOURCES = ["bass", "drums", "vocals", "other"]


def track_scores(sdr, step=0.1):
    """Scores of all tracks around one SDR, a step apart from track to track."""
    return [
        TrackScores(
            track,
            {
                source: {metric: np.array([sdr + step * i + 0.01 * j]) for metric in METRICS}
                for j, source in enumerate(SOURCES)
            },
        )
        for i, track in enumerate(TRACKS)
    ]


class StandIn:
    """Leaves what jobs leave: a row's SDR is 5 dB, plus 1 for a bridge, and 0.1 per seed.

    What a bridge brings differs by some thousandths from track to track, and by seed.

    Jobs whose names are in `failing` fail.
    """

    def __init__(self):
        self.calls = []
        self.failing = set()

    def __call__(self, job, slot):
        self.calls.append(job.name)
        if job.name in self.failing:
            raise AblationError("no luck")
        if job.kind == "baselines":
            systems = {"mixture": -6.0, "static filter": 2.0, "ratio-mask oracle": 8.0}
            scores = {name: track_scores(sdr) for name, sdr in systems.items()}
            write_csv(scores, job.folders[0] / "all_metrics.csv")
        elif job.kind == "cell":
            self.leave_cell(job.folders[0])
        else:
            measured = {"parameters": 2_000_000, "seconds_per_minute": 3.5}
            for folder in job.folders:
                (folder / "inference.json").write_text(json.dumps(measured))

    def leave_cell(self, folder):
        config = Config.from_yaml(folder / "options.yml")
        seed, is_bridged = config.data.seed, config.model.bridge is not False
        scores = track_scores(5 + 0.1 * seed + is_bridged, 0.1 + 0.001 * seed * is_bridged)
        write_csv({"X-UMX": scores}, folder / "all_metrics.csv")
        found = {"training_seconds": 60.0, "epochs": 2, "commit": "abc1234", "threads": 1}
        (folder / "cell.json").write_text(json.dumps(found))


@pytest.fixture
def stand_in():
    return StandIn()


@pytest.fixture(scope="session")
def make(songs):
    """A function from groups of options to those of a small X-UMX, on the songs of the tests."""
    data = {"dataset": "folder", "train_dir": [str(songs)], "sample_rate": 8000}

    def make_config(**groups):
        model = {"in_chan": 64, "window_length": 64, "nhop": 16, "hidden_size": 8, "nb_layers": 1}
        return Config.from_dict({"model": model, "data": data, **groups})

    return make_config


@pytest.fixture(scope="session")
def finished(make, tmp_path_factory):
    """Folder, results and jobs of a finished grid; not to be changed."""
    folder, run = tmp_path_factory.mktemp("ablation"), StandIn()
    study = ablate(make(), paper_rows(["none", "CL", "bridge"]), [1, 2], folder, 2, run)
    return folder, study, run.calls

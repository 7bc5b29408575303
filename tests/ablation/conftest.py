"""A stand-in for a grid's child processes that notes down its calls and leaves their files."""

import json

import numpy as np
import pytest

from asteroid_xscheme.ablation import AblationError
from asteroid_xscheme.config import Config
from asteroid_xscheme.evaluation import METRICS, TrackScores, write_csv

TRACKS = [f"track {i}" for i in range(6)]
SOURCES = ["bass", "drums", "vocals", "other"]


def track_scores(sdr):
    """Scores of all tracks with one SDR, a little different in each track and source."""
    return [
        TrackScores(
            track,
            {
                source: {metric: np.array([sdr + 0.1 * i + 0.01 * j]) for metric in METRICS}
                for j, source in enumerate(SOURCES)
            },
        )
        for i, track in enumerate(TRACKS)
    ]


class StandIn:
    """Leaves what jobs leave: a row's SDR is 5 dB, plus 1 for a bridge, and 0.1 per seed.

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
        sdr = 5 + (config.model.bridge is not False) + 0.1 * config.data.seed
        write_csv({"X-UMX": track_scores(sdr)}, folder / "all_metrics.csv")
        found = {"training_seconds": 60.0, "epochs": 2, "commit": "abc1234", "threads": 1}
        (folder / "cell.json").write_text(json.dumps(found))


@pytest.fixture
def stand_in():
    return StandIn()

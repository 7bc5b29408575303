"""The whole demo as a user runs it, a second run, and a training that is killed and resumed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from asteroid_xscheme.weights import load_package
from asteroid_xscheme.recipes.evaluation import TrackScores, of_tracks

pytestmark = pytest.mark.slow

RECIPE = Path(__file__).parents[1] / "egs" / "musdb18" / "X-UMX"
SOURCES = ("bass", "drums", "vocals", "other")


def run_demo(folder):
    command = ["bash", "run.sh", "--dataset", "demo", "--tag", "demo", "--python_path"]
    done = subprocess.run([*command, sys.executable], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The recipe's folder after the whole demo, and what it printed."""
    folder = tmp_path_factory.mktemp("demo") / "X-UMX"
    shutil.copytree(RECIPE, folder, ignore=shutil.ignore_patterns("data", "exp"))
    return folder, run_demo(folder)


def sdr(folder):
    """SDR by source of the test tracks."""
    scores = [TrackScores.load(path) for path in sorted((folder / "test").glob("*.json"))]
    assert len(scores) == 6
    figures = of_tracks(scores)
    return np.array([figures[source]["SDR"] for source in SOURCES])


def test_demo_model_beats_the_static_filter(demo):
    folder, _ = demo
    model = sdr(folder / "exp" / "train_x_umx_demo" / "evaluation" / "scores")
    static = sdr(folder / "exp" / "baselines_demo" / "static filter")
    oracle = sdr(folder / "exp" / "baselines_demo" / "ratio-mask oracle")
    assert (model > static).all()
    assert (model - static).mean() >= 1.5
    assert (model < oracle).all()


def test_demo_ends_with_tables_and_stems_of_rendered_and_real_tracks(demo):
    folder, text = demo
    for row in ("| X-UMX", "| static filter", "| ratio-mask oracle", "| mixture"):
        assert text.count(row) >= 2  # of the rendered tracks, and of the real one
    stems = list(
        (folder / "exp" / "train_x_umx_demo" / "evaluation" / "estimates").glob("*/*/*.wav")
    )
    assert len(stems) == (6 + 1) * len(SOURCES)
    for path in stems:
        waveform, rate = soundfile.read(path)
        assert rate == 44100 and np.isfinite(waveform).all() and waveform.any()


def test_demo_publishes_a_model_that_loads(demo):
    folder, _ = demo
    package = load_package(str(folder / "exp" / "train_x_umx_demo" / "publish_dir" / "model.pth"))
    assert package["model_name"] == "XUMX" and package["infos"]["final_metrics"]


def test_second_run_repeats_no_finished_work(demo):
    folder, _ = demo
    kept = [p for p in folder.rglob("*") if p.suffix in (".wav", ".ckpt", ".npz")]
    kept += folder.glob("exp/**/test/*.json")
    assert len(kept) > 200
    before = {path: path.stat().st_mtime_ns for path in kept}
    text = run_demo(folder)
    assert "epoch" not in text and "| X-UMX" in text
    assert before == {path: path.stat().st_mtime_ns for path in kept}


def start_training(conf, exp_dir):
    command = [sys.executable, str(RECIPE / "train.py"), "--conf", str(conf), "--exp_dir"]
    return subprocess.Popen(
        [*command, str(exp_dir)], env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=-3
    )


def test_training_killed_at_any_moment_resumes_to_the_same_result(make_config, tmp_path):
    config = make_config(training={"epochs": 12})
    conf = tmp_path / "conf.yml"
    conf.write_text(config.to_yaml(), encoding="utf-8")
    assert start_training(conf, tmp_path / "whole").wait() == 0

    killed = tmp_path / "killed"
    for delay in (0.0, 0.3, 0.7):
        training = start_training(conf, killed)
        while not (killed / "checkpoints" / "last.ckpt").exists() and training.poll() is None:
            time.sleep(0.05)
        time.sleep(delay)
        training.send_signal(signal.SIGKILL)
        training.wait()
        torch.load(killed / "checkpoints" / "last.ckpt", weights_only=True)  # never half written
    assert start_training(conf, killed).wait() == 0

    one, other = (
        load_package(str(tmp_path / run / "best_model.pth")) for run in ("whole", "killed")
    )
    for name, value in one["state_dict"].items():
        assert torch.equal(value, other["state_dict"][name]), name

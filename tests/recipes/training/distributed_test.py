"""Two processes on one machine, with gloo, as torchrun starts them: they train as one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from asteroid_xscheme.recipes.config import Config

ONE_RANK = Path(__file__).with_name("one_rank.py")


def run(config, folder, n_processes):
    """Train; the record of each process."""
    folder.mkdir()
    conf = folder / "given.yml"
    conf.write_text(config.to_yaml(), encoding="utf-8")
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={n_processes}"]
    command = [sys.executable, *launcher, str(ONE_RANK), str(conf), str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    return [torch.load(folder / f"rank{rank}.pt") for rank in range(n_processes)]


@pytest.fixture(scope="module")
def records(songs, tmp_path_factory):
    """The records of one process with batches of 4 and of two processes with batches of 2."""
    folder = tmp_path_factory.mktemp("runs")
    return tuple(
        run(Config.from_dict(_options(songs, n)), folder / str(n), n_processes=n) for n in (1, 2)
    )


def _options(songs, n_processes):
    stft = {"window_length": 64, "in_chan": 64, "nhop": 16}
    sizes = {"n_filters": 8, "bn_chan": 4, "hid_chan": 8, "n_blocks": 2, "n_repeats": 2}
    return {
        # no BatchNorm, whose statistics are each process's own
        "model": {"architecture": "XConvTasNet", **stft, **sizes},
        "data": {
            "dataset": "folder",
            "train_dir": [str(songs)],
            "valid_tracks": ["long", "short"],
            "sample_rate": 8000,
            "seq_dur": 0.25,
            "samples_per_track": 2,
            "num_workers": 1,
        },
        "optim": {"lr_decay_patience": 0, "lr_decay_cooldown": 0},
        "training": {
            "epochs": 2,
            "accelerator": "cpu",
            "devices": str(n_processes),
            "batch_size": 4 // n_processes,
            "val_dur": 0.75,
        },
    }


def test_no_two_processes_draw_the_same_example(records):
    _, (one, other) = records
    for first, second in zip(one[0], other[0]):
        distances = (first[:, None] - second[None]).abs().amax((2, 3))
        assert distances.min() > 0


def test_two_processes_share_the_batches_of_one(records):
    (alone,), (one, other) = records
    for whole, first, second in zip(alone[0], one[0], other[0]):
        assert torch.equal(whole, torch.cat([first, second]))


def test_gradients_of_two_processes_are_those_of_one_with_their_batch(records):
    (alone,), pair = records
    expected = alone[1][0]
    for record in pair:
        for name, gradient in record[1][0].items():
            torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-7, msg=name)


def test_processes_agree_on_every_decision_and_with_one_process(records):
    (alone,), (one, other) = records
    assert one[2] == other[2] and len(one[2]) == 2
    for decision, expected in zip(one[2], alone[2]):
        assert decision == pytest.approx(expected, rel=1e-4)

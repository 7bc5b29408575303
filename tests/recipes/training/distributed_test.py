"""Two processes on one machine, started by torchrun with gloo, train as one."""

import os
import subprocess
import sys

import pytest
import torch

from asteroid_xscheme.recipes.config import Config
from asteroid_xscheme.recipes.training import train

from . import one_rank

pytestmark = pytest.mark.filterwarnings(
    # advice for long runs that a run of seconds does not need:
    "ignore:The '.*_dataloader' does not have many workers",
)


def run_alone(config, folder):
    """Train in this process and return its record."""
    train(config, folder, callbacks=[one_rank.Recorder(folder)])
    return torch.load(folder / "rank0.pt")


def run_two(config, folder):
    """Train in two processes and return the record of each."""
    folder.mkdir()
    conf = folder / "given.yml"
    conf.write_text(config.to_yaml(), encoding="utf-8")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command = [sys.executable, *launcher, one_rank.__file__, str(conf), str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    return [torch.load(folder / f"rank{rank}.pt") for rank in range(2)]


@pytest.fixture(scope="module")
def records(songs, tmp_path_factory):
    """The records of one process with batches of 4 and of two processes with batches of 2."""
    folder = tmp_path_factory.mktemp("runs")
    alone, two = (Config.from_dict(_options(songs, n_processes)) for n_processes in (1, 2))
    return [run_alone(alone, folder / "alone")], run_two(two, folder / "two")


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


def test_processes_draw_disjoint_examples(records):
    _, (one, other) = records
    for first, second in zip(one[0], other[0]):
        distances = (first[:, None] - second[None]).abs().amax((2, 3))
        assert distances.min() > 0


def test_two_processes_share_the_batches_of_one(records):
    (alone,), (one, other) = records
    for whole, first, second in zip(alone[0], one[0], other[0]):
        assert torch.equal(whole, torch.cat([first, second]))


def test_gradients_of_two_processes_equal_those_of_one_with_the_full_batch(records):
    (alone,), pair = records
    expected = alone[1][0]
    for record in pair:
        for name, gradient in record[1][0].items():
            torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-7, msg=name)


def test_processes_agree_with_each_other_and_with_one_process(records):
    (alone,), (one, other) = records
    assert one[2] == other[2] and len(one[2]) == 2
    for decision, expected in zip(one[2], alone[2]):
        assert decision == pytest.approx(expected, rel=1e-4)

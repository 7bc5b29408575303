"""The command `xscheme ablate`, as typed; once for real, on songs of a second."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile

import xscheme
from xscheme import grid as command

RATE = 8000
CONF = """
model: {architecture: XUMX, window_length: 256, in_chan: 256, nhop: 64, hidden_size: 8,
        nb_layers: 1, bandwidth: 4000}
data: {dataset: folder, train_dir: [%s], valid_tracks: [c], sample_rate: 8000, seq_dur: 0.5,
       samples_per_track: 2, num_workers: 0}
training: {epochs: 2, batch_size: 4, accelerator: cpu}
evaluation: {eval_jobs: 1, eval_device: cpu, bss_eval: fast}
"""


@pytest.fixture
def conf(tmp_path):
    """A conf.yml of a folder of one's own, which is there."""
    (tmp_path / "songs").mkdir()
    path = tmp_path / "conf.yml"
    path.write_text(CONF % (tmp_path / "songs"))
    return path


@pytest.fixture
def grid(monkeypatch):
    """What the command asks of `ablate`, which is not run."""
    asked = {}

    def note(config, rows, seeds, exp_dir, jobs):
        asked.update(config=config, rows=[row.name for row in rows], seeds=seeds, jobs=jobs)
        exp_dir.mkdir(parents=True)
        (exp_dir / "ablation.md").write_text("| a table |")

    monkeypatch.setattr(command, "ablate", note)
    return asked


def run(conf, *arguments):
    exp_dir = conf.parent / "exp"
    return xscheme.main(["ablate", "--conf", str(conf), "--exp_dir", str(exp_dir), *arguments])


def test_grid_of_the_paper_with_three_seeds_is_the_default(conf, grid, capsys):
    assert run(conf) == 0
    assert len(grid["rows"]) == 8 and grid["seeds"] == [1, 2, 3] and grid["jobs"] is None
    assert "| a table |" in capsys.readouterr().out


def test_rows_seeds_and_configuration_options_are_used(conf, grid):
    run(conf, "--rows", "none", "MDL+CL", "--seeds", "4", "5", "-j", "2", "--epochs", "7")
    assert (grid["rows"], grid["seeds"], grid["jobs"]) == (["none", "MDL+CL"], [4, 5], 2)
    assert grid["config"].training.epochs == 7


def test_points_without_names_are_the_models_default(conf, grid):
    run(conf, "--points", "--lr", "0.1")
    assert grid["rows"][1:] == ["bridge encoder", "bridge recurrent", "bridge encoder + recurrent"]
    assert grid["config"].optim.lr == 0.1


def test_rows_and_points_share_a_table_without_duplicates(conf, grid):
    run(conf, "--rows", "none", "MDL+CL", "all", "--points")
    assert grid["rows"] == ["none", "MDL+CL", "all", "bridge encoder", "bridge recurrent"]


def test_estimates_are_kept_only_on_request(conf, grid):
    run(conf)
    assert grid["config"].evaluation.save_estimates is False
    assert command.read_config(str(conf), ["--save_estimates", "yes"]).evaluation.save_estimates


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--seed", "3"], "use --seeds 1 2 3 instead"),
        (["--rows", "everything"], "there is no row 'everything'"),
        (["--jobs", "0"], "--jobs: expected 1 or more"),
    ],
)
def test_bad_arguments_are_refused_in_one_line(conf, grid, capsys, arguments, message):
    assert run(conf, *arguments) == 1 and not grid
    assert message in capsys.readouterr().err


def test_unknown_option_is_refused(conf, grid, capsys):
    with pytest.raises(SystemExit):
        run(conf, "--epoch", "3")
    assert "unrecognized arguments: --epoch 3" in capsys.readouterr().err and not grid


def test_other_commands_still_refuse_unknown_options(capsys):
    with pytest.raises(SystemExit):
        xscheme.main(["models", "--epochs"])
    assert "unrecognized arguments: --epochs" in capsys.readouterr().err


def write_songs(root):
    generator = np.random.default_rng(0)
    for subset, names in {"train": "abc", "test": "tu"}.items():
        for name in names:
            folder = root / subset / name
            folder.mkdir(parents=True)
            sources = 0.1 * generator.standard_normal((4, 2 * RATE, 2))
            files = zip(["bass", "drums", "vocals", "other"], sources)
            for source, waveform in [*files, ("mixture", sources.sum(0))]:
                soundfile.write(folder / f"{source}.wav", waveform.clip(-1, 1), RATE)


@pytest.mark.slow
def test_killed_grid_is_resumed(conf, tmp_path):
    write_songs(tmp_path / "songs")
    exp_dir = tmp_path / "exp"
    program = [sys.executable, "-m", "xscheme", "ablate", "--conf", conf, "--exp_dir", exp_dir]
    program += ["--rows", "none", "all", "--seeds", "1", "-j", "2"]
    killed = subprocess.Popen(program)
    first = exp_dir / "none_seed1"
    while not (first / "checkpoints" / "last.ckpt").is_file():
        assert killed.poll() is None
        time.sleep(0.1)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    time.sleep(2)  # its children see that it is gone
    done = subprocess.run(program, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    content = json.loads((exp_dir / "ablation.json").read_text())
    assert list(content["rows"]) == ["none", "all"] and content["tracks"] == ["t", "u"]
    for row in content["rows"].values():
        assert row["training_seconds"] > 0 and row["inference_seconds_per_minute"] > 0
        assert row["parameters"] == content["rows"]["none"]["parameters"]
    assert len(json.loads((first / "seconds.json").read_text())) == 2
    written = (first / "cell.json").stat().st_mtime_ns
    again = subprocess.run(program, capture_output=True, text=True)
    assert "3 of 3 jobs are already done" in again.stdout
    assert (first / "cell.json").stat().st_mtime_ns == written


@pytest.mark.slow
def test_cells_with_two_processes_run_once_and_are_distinct_from_cells_with_one(
    conf, tmp_path, capfd
):
    write_songs(tmp_path / "songs")
    options = ["--rows", "all", "--seeds", "1", "--epochs", "1", "--batch_size", "1"]
    assert run(conf, *options, "--devices", "2") == 0
    content = json.loads((tmp_path / "exp" / "ablation.json").read_text())
    assert list(content["rows"]) == ["all"] and content["tracks"] == ["t", "u"]
    cell = tmp_path / "exp" / "all_seed1" / "cell.json"
    written = cell.stat().st_mtime_ns
    capfd.readouterr()
    assert run(conf, *options, "--devices", "2") == 0
    assert "2 of 2 jobs are" in capfd.readouterr().out
    assert cell.stat().st_mtime_ns == written
    assert run(conf, *options, "--devices", "1") == 1
    assert "(number of processes (devices) was 2, is now 1)" in capfd.readouterr().err

"""A change between two trainings in one folder: allowed and resumed, or named and refused."""

import csv
import shutil
import sys
from pathlib import Path

import pytest

from asteroid_xscheme.atomic import BusyError, alone
from asteroid_xscheme.recipes.config import ConfigError
from asteroid_xscheme.recipes.run import TrainingError
from asteroid_xscheme.recipes.stages import run_stage
from asteroid_xscheme.recipes.training import train

pytestmark = pytest.mark.filterwarnings(
    # advice for long runs that a run of seconds does not need:
    "ignore:The '.*_dataloader' does not have many workers",
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return tmp_path_factory.mktemp("trained") / "run"


@pytest.fixture
def run(trained, make_config, tmp_path):
    """A copy of a finished run of two epochs."""
    if not trained.exists():
        train(make_config(), trained)
    return Path(shutil.copytree(trained, tmp_path / "run"))


def files(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}


@pytest.mark.parametrize(
    "options, change",
    [
        ({"batch_size": 2}, "batch_size was 4, is now 2"),
        ({"ema_decay": 0.9}, "ema_decay was None, is now 0.9"),
        ({"accumulate_grad_batches": 2}, "accumulate_grad_batches was 1, is now 2"),
        ({"precision": "bf16-mixed"}, "precision was 32-true, is now bf16-mixed"),
        ({"devices": "2"}, r"number of processes \(devices\) was 1, is now 2"),
        ({"epochs": 1}, "already has 2 epochs, more than --epochs 1"),
        ({"resume": "nowhere.ckpt"}, "no checkpoint nowhere.ckpt"),
    ],
)
def test_changed_option_is_named_and_leaves_the_run_unchanged(options, change, run, make_config):
    before = files(run)
    with pytest.raises((ConfigError, TrainingError), match=change):
        train(make_config(training=options), run)
    assert files(run) == before


def test_another_architecture_in_the_folder_is_refused(run, make_config):
    with pytest.raises(ConfigError, match="architecture was XUMX, is now XConvTasNet"):
        train(make_config("XConvTasNet"), run)


def test_changed_track_is_refused_but_a_moved_one_is_not(run, make_config, songs, tmp_path):
    moved = Path(shutil.copytree(songs, tmp_path / "elsewhere"))
    data = {"train_dir": [str(moved)]}
    assert train(make_config(data=data), run).is_file()
    shutil.copy(moved / "train" / "b" / "bass.wav", moved / "train" / "a" / "bass.wav")
    with pytest.raises(ConfigError, match="training tracks, folder 1, train/a changed"):
        train(make_config(data=data), run)


def test_moved_run_keeps_its_best_epochs(run, make_config, capsys):
    train(make_config(training={"epochs": 3}), run)
    assert "Resuming" in capsys.readouterr().out
    kept = sorted(path.name.split("-")[0] for path in (run / "checkpoints").glob("epoch=*"))
    assert kept == ["epoch=0", "epoch=1", "epoch=2"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut"])
def test_damaged_last_checkpoint_is_replaced_by_the_newest_intact_one(
    content, run, make_config, capsys
):
    (run / "checkpoints" / "last.ckpt").write_bytes(content)
    orphan = run / "checkpoints" / ".xscheme-1-of-the-dead.part"
    orphan.write_bytes(b"")
    train(make_config(training={"epochs": 3}), run)
    said = capsys.readouterr().out
    assert "last.ckpt is damaged" in said and "intact checkpoint is" in said and "epoch 3/3" in said
    assert not orphan.exists()


def test_two_trainings_in_one_folder_are_refused(run, make_config):
    with alone(run), pytest.raises(BusyError, match="Another process is using"):
        train(make_config(training={"epochs": 3}), run)


def test_loggers_do_not_change_results_and_metrics_csv_is_always_written(run, make_config):
    train(make_config(training={"epochs": 3, "logger": ["csv"]}), run)  # the same run goes on
    with open(run / "logs" / "metrics.csv", encoding="utf-8") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0", "1", "2"]
    assert len(list((run / "logs" / "tensorboard").glob("events*"))) == 1  # of before


def test_logger_whose_package_is_missing_is_named_with_it(
    make_config, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "wandb", None)  # as if it were not installed
    monkeypatch.setattr("pytorch_lightning.loggers.wandb._WANDB_AVAILABLE", False)
    conf, run = tmp_path / "conf.yml", tmp_path / "run"
    conf.write_text(make_config().to_yaml(), encoding="utf-8")
    options = ["--logger", "tensorboard", "csv", "wandb"]
    argv = ["train.py", "--conf", str(conf), "--exp_dir", str(run), *options]
    monkeypatch.setattr(sys, "argv", argv)
    with pytest.raises(SystemExit, match="logger wandb needs the package wandb: pip install wandb"):
        run_stage("Train.", train)
    assert not (run / "conf.yml").exists()


def test_loss_that_is_not_finite_ends_the_command_and_keeps_the_last_good_epoch(
    make_config, tmp_path, monkeypatch
):
    conf = tmp_path / "conf.yml"
    conf.write_text(make_config(optim={"lr": 1e12}).to_yaml(), encoding="utf-8")
    run = tmp_path / "run"
    monkeypatch.setattr(sys, "argv", ["train.py", "--conf", str(conf), "--exp_dir", str(run)])
    with pytest.raises(SystemExit) as stop:
        run_stage("Train.", train)
    message = str(stop.value)
    assert message.startswith("train.py: The loss is not finite at epoch 1, step 2 of 3")
    assert "learning rate 1e+12, largest gradient" in message and "\n" not in message
    assert not (run / "best_model.pth").exists() and not list(run.glob("checkpoints/*"))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"optim": {"optimizer": "nosuch"}}, "optimizer must be one of accsgd"),
        ({"training": {"strategy": "nosuch"}}, "strategy must be one of auto"),
        ({"training": {"accelerator": "nosuch"}}, "accelerator must be one of auto"),
        ({"training": {"precision": "16-mixed"}}, "precision 16-mixed needs a GPU"),
        ({"training": {"devices": "0,1"}}, "devices 0,1.*do not fit this machine"),
        ({"model": {"bridge": ["nosuch"]}}, "Unknown bridging point"),
        ({"model": {"window_length": 100}}, "Expected a window_length of at most 64"),
    ],
)
def test_unavailable_devices_and_options_are_named(options, message, make_config, tmp_path):
    with pytest.raises(ConfigError, match=message):
        train(make_config(**options), tmp_path / "run")
    assert not (tmp_path / "run" / "conf.yml").exists()

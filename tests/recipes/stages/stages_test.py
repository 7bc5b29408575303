"""The stages behind run.sh, on tiny songs: evaluate, publish, and what they refuse."""

import csv
import json
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from runpy import run_path

import pytest
import torch

from asteroid_xscheme.audio import probe_audio
from asteroid_xscheme.weights import load_package, save_package
from asteroid_xscheme.recipes.config import Config
from asteroid_xscheme.recipes.identity import write_record
from asteroid_xscheme.recipes.data import dataset_infos
from asteroid_xscheme.models import XUMX
from asteroid_xscheme.recipes.stages import (
    StageError,
    best_model,
    evaluate_run,
    publish_run,
    run_name,
    run_stage,
)

RECIPE = Path(__file__).parents[3] / "egs" / "musdb18" / "X-UMX"


@pytest.fixture(scope="module")
def run(make_config, tmp_path_factory):
    """Options and folder of a run with an untrained model."""
    config = make_config(evaluation={"bss_eval": "fast"})
    args = config.model.model_args(config.data.sample_rate)
    torch.manual_seed(0)
    package = XUMX(config.data.sources, sample_rate=config.data.sample_rate, **args).serialize()
    package.update(dataset_infos("folder"))
    exp_dir = tmp_path_factory.mktemp("exp") / "run"
    exp_dir.mkdir()
    save_package(package, exp_dir / "best_model.pth")
    return config, exp_dir


@pytest.fixture(scope="module")
def evaluated(run):
    """The run after its evaluation, and the printed output."""
    with redirect_stdout(StringIO()) as text:
        evaluate_run(*run)
    return (*run, text.getvalue())


def test_evaluation_scores_model_and_baselines_and_keeps_estimates(evaluated):
    config, exp_dir, text = evaluated
    for row in ("mixture", "static filter", "ratio-mask oracle", "X-UMX"):
        assert f"| {row}" in text
    assert (exp_dir / "results.md").read_text(encoding="utf-8").strip() in text
    metrics = json.loads((exp_dir / "final_metrics.json").read_text())
    assert set(metrics) == {
        f"{metric}_{source}"
        for metric in ("sdr", "sir", "isr", "sar")
        for source in config.data.sources
    }
    with open(exp_dir / "all_metrics.csv") as file:
        assert len(list(csv.DictReader(file))) == 4 * 4  # systems x sources of the one track
    for source in config.data.sources:
        info = probe_audio(exp_dir / "evaluation" / "estimates" / "test" / "t" / f"{source}.wav")
        assert (info.sample_rate, info.n_channels, info.n_samples) == (8000, 2, 12000)


def test_second_evaluation_scores_nothing_again(evaluated, capsys):
    config, exp_dir, first = evaluated
    scores = list(exp_dir.parent.rglob("test/*.json"))
    before = {path: path.stat().st_mtime_ns for path in scores}
    evaluate_run(config, exp_dir)
    assert capsys.readouterr().out == first
    assert scores and before == {path: path.stat().st_mtime_ns for path in scores}


def test_published_folder_contains_weights_and_scores(evaluated):
    config, exp_dir, _ = evaluated
    publish_run(config, exp_dir)
    package = load_package(str(exp_dir / "publish_dir" / "model.pth"))
    metrics = json.loads((exp_dir / "final_metrics.json").read_text())
    assert package["infos"]["final_metrics"] == metrics
    assert package["infos"]["training_config"]["optim"]["lr"] == config.optim.lr
    assert (exp_dir / "publish_dir" / "README.md").is_file()


def test_missing_model_is_not_replaced_by_another(make_config, tmp_path):
    with pytest.raises(StageError, match="train the model first"):
        evaluate_run(make_config(), tmp_path)
    with pytest.raises(StageError, match="best_model.pth"):
        best_model(tmp_path)


def test_model_of_a_finished_run_is_refused_while_its_training_continues(run, tmp_path):
    config, finished = run
    exp_dir = shutil.copytree(finished, tmp_path / "run")
    write_record(exp_dir, {"epochs": 3})  # as a training that continues leaves it: not finished
    with pytest.raises(StageError, match="finish the training first"):
        evaluate_run(config, exp_dir)


@pytest.mark.parametrize(
    "architecture, bridge, name",
    [
        ("XUMX", True, "X-UMX"),
        ("XUMX", False, "UMX"),
        ("XD3Net", [], "D3Net"),
        ("XConvTasNet", ["bottleneck", "separator"], "X-Conv-TasNet (bottleneck, separator)"),
    ],
)
def test_run_is_named_as_in_the_paper(architecture, bridge, name):
    assert (
        run_name(Config.from_dict({"model": {"architecture": architecture, "bridge": bridge}}))
        == name
    )


def test_bug_in_a_stage_prints_a_traceback_to_report(tmp_path, monkeypatch, capsys):
    def broken(config, exp_dir):
        raise ValueError("boom")

    monkeypatch.setattr(sys, "argv", ["eval.py", "--conf", str(RECIPE / "local" / "conf.yml")])
    with pytest.raises(SystemExit, match=r"eval.py: unexpected ValueError \(boom\); please report"):
        run_stage("Score.", broken)
    assert "ValueError: boom" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command, message",
    [
        (["eval.py", "--exp_dir", "nowhere"], "eval.py: There is no nowhere/best_model.pth"),
        (["train.py", "--train_dir", "nowhere"], "nowhere"),
        (["train.py", "--conf", "nowhere.yml"], "no configuration file nowhere.yml"),
    ],
)
def test_mistake_is_reported_in_one_line_without_a_traceback(
    command, message, tmp_path, monkeypatch
):
    conf = [] if "--conf" in command else ["--conf", str(RECIPE / "local" / "conf.yml")]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [*command, *conf])
    with pytest.raises(SystemExit) as stop:
        run_path(str(RECIPE / command[0]), run_name="__main__")
    assert message in str(stop.value) and "\n" not in str(stop.value)


def test_unknown_stage_is_refused_by_the_shell(tmp_path):
    command = [sys.executable, "-m", "asteroid_xscheme.recipes.stages", "bake"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0 and "prepare|publish" in done.stderr
    assert "Traceback" not in done.stderr

"""run.sh: its options, its stages and the last run's tag; a script stands in for Python."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from asteroid_xscheme.models import XUMX
from asteroid_xscheme.weights import save_package

RECIPES = Path(__file__).parents[3] / "egs" / "musdb18"
FOLDERS = ["X-UMX", "X-D3Net", "X-ConvTasNet", "X-Any"]

#: answers what run.sh asks of Python by `-c`, and notes down every other call
PYTHON = """#!/usr/bin/env bash
if [[ $1 == -c ]]; then exec "{real}" "$@"; fi
echo "GPUs=${{CUDA_VISIBLE_DEVICES-unset}} $*" >> "{calls}"
"""


class Recipe:
    """A copy of a recipe's folder, run with a stand-in for Python."""

    def __init__(self, folder: Path, home: Path):
        self.folder = shutil.copytree(
            folder, home / folder.name, ignore=shutil.ignore_patterns("data", "exp")
        )
        self.calls_file = home / "calls"
        self.python = home / "my python"
        self.python.write_text(PYTHON.format(real=sys.executable, calls=self.calls_file))
        self.python.chmod(0o755)

    def run(self, *options, **environment):
        command = ["bash", "run.sh", *options, "--python_path", str(self.python)]
        plain = {k: v for k, v in os.environ.items() if k != "CUDA_VISIBLE_DEVICES"}
        return subprocess.run(
            command, cwd=self.folder, env={**plain, **environment}, capture_output=True, text=True
        )

    @property
    def calls(self):
        return self.calls_file.read_text().splitlines() if self.calls_file.exists() else []


@pytest.fixture(params=FOLDERS)
def recipe(request, tmp_path):
    return Recipe(RECIPES / request.param, tmp_path)


@pytest.fixture
def x_umx(tmp_path):
    return Recipe(RECIPES / "X-UMX", tmp_path)


def test_four_stages_run_in_order_in_one_folder(recipe):
    done = recipe.run("--tag", "mine")
    assert done.returncode == 0, done.stderr
    stages = ["prepare", "train.py", "eval.py", "publish"]
    assert len(recipe.calls) == 4
    assert all(stage in call for stage, call in zip(stages, recipe.calls))
    exp_dirs = {call.split("--exp_dir ")[1].split()[0] for call in recipe.calls[1:]}
    assert len(exp_dirs) == 1 and exp_dirs.pop().endswith("_mine")


def test_recipes_differ_in_configuration_and_comments_only():
    def code(path):
        lines = path.read_text().splitlines()
        return [line.split("  #")[0].rstrip() for line in lines if not line.startswith("#")]

    for name in ("run.sh", "train.py", "eval.py"):
        first, *others = (code(RECIPES / folder / name) for folder in FOLDERS)
        assert all(other == first for other in others)


def test_stages_start_and_stop_as_requested(x_umx):
    x_umx.run("--stage", "1", "--stop_stage", "1", "--tag", "a")
    assert len(x_umx.calls) == 1 and "train.py" in x_umx.calls[0]


def test_stage_2_alone_uses_the_run_trained_last(x_umx):
    x_umx.run("--stage", "1", "--stop_stage", "1")
    x_umx.run("--stage", "2", "--stop_stage", "2")
    trained, evaluated = (call.split("--exp_dir ")[1].split()[0] for call in x_umx.calls)
    assert trained == evaluated


def test_each_training_without_a_tag_gets_a_new_one(x_umx):
    for _ in range(2):
        x_umx.run("--stage", "1", "--stop_stage", "1")
    first, second = (call.split("--exp_dir ")[1].split()[0] for call in x_umx.calls)
    assert first != second


def test_stage_2_without_any_run_says_what_to_do(x_umx):
    done = x_umx.run("--stage", "2")
    assert done.returncode == 2 and not x_umx.calls
    assert "no run has been trained here yet" in done.stderr


def test_named_weights_are_scored_without_a_run_in_their_own_folder(recipe):
    for weights, name in (("xumxl", "xumxl"), ("https://a.b/c/m.pth?download=1", "m")):
        done = recipe.run("--stage", "2", "--eval_model", weights)
        assert done.returncode == 0, done.stderr
        expected = f"eval.py --conf local/conf.yml --exp_dir exp/eval_{name} --eval_model {weights}"
        assert expected in recipe.calls.pop()
    assert len(recipe.calls) == 2  # nothing is published


def test_named_weights_are_scored_in_the_run_that_a_tag_names(x_umx):
    x_umx.run("--stage", "2", "--stop_stage", "2", "--tag", "a", "--eval_model", "xumxl")
    folder = "exp/train_x_umx_a"
    assert f"eval.py --conf {folder}/conf.yml --exp_dir {folder} --eval_model" in x_umx.calls[0]


@pytest.mark.slow
def test_weights_of_a_file_are_scored_through_the_shell(x_umx, make_config, tmp_path):
    config = make_config(evaluation={"bss_eval": "fast"})
    args = config.model.model_args(8000)
    model = XUMX(["vocals", "other"], sample_rate=8000, **args)
    save_package(model.serialize(), tmp_path / "tiny.pth")
    (x_umx.folder / "mine.yml").write_text(config.to_yaml(), encoding="utf-8")
    command = ["bash", "run.sh", "--stage", "2", "--conf", "mine.yml", "--dataset", "folder"]
    command += ["--eval_model", str(tmp_path / "tiny.pth"), "--python_path", sys.executable]
    done = subprocess.run(command, cwd=x_umx.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    folder = x_umx.folder / "exp" / "eval_tiny"
    assert "| mixture" in done.stdout and (folder / "report" / "report.html").is_file()
    scores = json.loads((folder / "final_metrics.json").read_text(encoding="utf-8"))
    assert set(scores) >= {"sdr_vocals", "sdr_other"} and "sdr_bass" not in scores


def test_configuration_options_reach_every_stage_unchanged(x_umx):
    x_umx.run("--tag", "a", "--sources", "vocals", "drums", "--lr", "0.01")
    assert all("--sources vocals drums --lr 0.01" in call for call in x_umx.calls)


def test_all_gpus_are_used_unless_some_are_named(x_umx):
    x_umx.run("--stop_stage", "0")
    x_umx.run("--stop_stage", "0", "--id", "0,1")
    assert x_umx.calls[0].startswith("GPUs=unset") and x_umx.calls[1].startswith("GPUs=0,1")


def test_demo_uses_its_own_small_configuration(x_umx):
    x_umx.run("--stop_stage", "0", "--dataset", "demo")
    x_umx.run("--stop_stage", "0")
    assert "--conf local/conf_demo.yml" in x_umx.calls[0] and "--dataset demo" in x_umx.calls[0]
    assert "--conf local/conf.yml" in x_umx.calls[1]


@pytest.mark.parametrize(
    "options, message",
    [
        (["--stage", "4"], "--stage must be 0"),
        (["--stop_stage", "x"], "--stop_stage must be 0"),
        (["--tag"], "--tag needs a value"),
        (["--stage", "--tag"], "--stage needs a value"),
    ],
)
def test_bad_options_are_refused_before_anything_runs(x_umx, options, message):
    done = x_umx.run(*options)
    assert done.returncode == 2 and message in done.stderr and not x_umx.calls


def test_failed_stage_stops_the_run(x_umx):
    x_umx.python.write_text(x_umx.python.read_text() + "exit 3\n")
    done = x_umx.run("--tag", "a")
    assert done.returncode == 3 and len(x_umx.calls) == 1


def test_help_shows_usage_and_options_of_run_sh(x_umx):
    done = x_umx.run("--help")
    assert done.returncode == 0 and "in four stages" in done.stdout
    assert "  --stop_stage   last stage to run, 0 to 3 [3]\n" in done.stdout

"""The scripts of the how-to pages give programs the arguments that they should."""

import os
import subprocess
from pathlib import Path

import pytest

from asteroid_xscheme.recipes.stages import read_options

REPOSITORY = Path(__file__).parents[2]
SCRIPTS = REPOSITORY / "docs" / "examples"


@pytest.fixture
def run_script(tmp_path):
    """Run a script with programs that only write down their arguments; returns these."""

    def run(script, *arguments, **variables):
        for program in ("torchrun", "srun", "xscheme"):
            stand_in = tmp_path / program
            stand_in.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/arguments"\n')
            stand_in.chmod(0o755)
        path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, **variables, "PATH": path}
        script = SCRIPTS / script
        subprocess.run(["bash", script, *arguments], env=environment, check=True, cwd=tmp_path)
        return (tmp_path / "arguments").read_text().splitlines()

    return run


@pytest.fixture
def recipe(tmp_path):
    """A folder of a recipe's name with its configuration."""
    folder = tmp_path / "X-UMX"
    (folder / "local").mkdir(parents=True)
    conf = REPOSITORY / "egs" / "musdb18" / "X-UMX" / "local" / "conf.yml"
    for name in ("conf.yml", "conf_demo.yml"):
        (folder / "local" / name).write_bytes(conf.read_bytes())
    return folder


def read_as_train_does(arguments, recipe, monkeypatch):
    monkeypatch.chdir(recipe)
    return read_options("", arguments[arguments.index("train.py") + 1 :])


def test_torchrun_script_starts_every_process_in_the_same_run(run_script, recipe, monkeypatch):
    variables = {"MASTER": "node1", "NODES": "2", "GPUS": "4"}
    arguments = run_script("train_torchrun.sh", "X-UMX", "mine", "--lr", "1e-4", **variables)
    assert arguments[:4] == ["--nnodes", "2", "--nproc_per_node", "4"]
    assert "node1:29500" in arguments
    config, exp_dir = read_as_train_does(arguments, recipe, monkeypatch)
    assert (config.training.num_nodes, config.training.devices) == (2, "4")
    assert config.optim.lr == 1e-4
    assert str(exp_dir) == "exp/train_x_umx_mine"


def test_torchrun_script_uses_the_small_configuration_for_the_demo(run_script, recipe):
    arguments = run_script("train_torchrun.sh", "X-UMX", "trial", "--dataset", "demo")
    assert "local/conf_demo.yml" in arguments


def test_slurm_script_passes_the_allocation_to_lightning(run_script, recipe, monkeypatch):
    variables = {"SLURM_NNODES": "3", "SLURM_NTASKS_PER_NODE": "8"}
    arguments = run_script("train_slurm.sh", "X-UMX", "mine", "--seed", "7", **variables)
    assert arguments[:2] == ["python", "train.py"]
    config, exp_dir = read_as_train_does(arguments, recipe, monkeypatch)
    assert (config.training.num_nodes, config.training.devices) == (3, "8")
    assert config.data.seed == 7
    assert str(exp_dir) == "exp/train_x_umx_mine"


def test_job_array_shares_the_songs(run_script):
    variables = {"SLURM_ARRAY_TASK_ID": "2", "SLURM_ARRAY_TASK_COUNT": "5"}
    arguments = run_script("separate_slurm.sh", "songs", "stems", "-n", "xumx", **variables)
    assert arguments[:6] == ["separate", "songs", "-o", "stems", "--shard", "2/5"]
    assert {"--skip-existing", "--offline", "stems/summary_2.json"} < set(arguments)
    assert arguments[-2:] == ["-n", "xumx"]

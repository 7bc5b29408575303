"""`xscheme publish` from the command line: from a run, or from weights and scores, to the hub."""

import json
import os
import subprocess
import sys

import pytest
import torch
import yaml
from huggingface_hub import ModelCard

from asteroid_xscheme.atomic import alone
from asteroid_xscheme.models import XUMX
from asteroid_xscheme.recipes.data import dataset_infos
from asteroid_xscheme.recipes.evaluation import write_record
from asteroid_xscheme.recipes.identity import weights_hash
from asteroid_xscheme.weights import load_package, save_package
from tests.conftest import SOURCES
from tests.hub_server import TOKEN
from xscheme import main

FIGURES = {s: {"SDR": 5.0 + i, "SIR": None, "SI-SDR": 0.0} for i, s in enumerate(SOURCES)}


@pytest.fixture(scope="module")
def package():
    torch.manual_seed(0)
    model = XUMX(SOURCES, 64, 64, 16, hidden_size=4, nb_layers=1)
    return {**model.serialize(), **dataset_infos("musdb18hq")}


def write_scores(path, package):
    """Write a record like that of an evaluation."""
    made_of = {
        "model": weights_hash(package),
        "separation": {"niter": 1},
        "scoring": {"bss_eval": "fast"},
    }
    subset = {"title": "", "tracks": [], "systems": {"mine": {"figures": FIGURES, "frames": {}}}}
    write_record(path, "mine", "musdb18hq", SOURCES, "", made_of, {"test": subset})


@pytest.fixture
def run(package, make_config, tmp_path):
    """The folder of a run that was evaluated."""
    folder = tmp_path / "run"
    save_package(package, folder / "best_model.pth")
    (folder / "conf.yml").write_text(make_config().to_yaml(), encoding="utf-8")
    write_scores(folder / "evaluation" / "record.json", package)
    return folder


def publish(*words):
    return main(["publish", *map(str, words)])


def card(folder):
    return ModelCard.load(folder / "README.md").data


def test_run_is_published_with_its_scores(run, capsys):
    assert publish(run) == 0
    assert capsys.readouterr().out == f"Ready to share: {run / 'publish_dir'}\n"
    results = {r.metric_name: r for r in card(run / "publish_dir").eval_results}
    assert len(results) == 2 * len(SOURCES)  # SIR is undefined
    sdr = results["SDR of drums in dB"]
    assert (sdr.metric_type, sdr.metric_value) == ("sdr", 6.0)
    assert (sdr.dataset_name, sdr.dataset_split) == ("musdb18hq", "test")
    infos = load_package(run / "publish_dir")["infos"]
    assert infos["final_metrics"]["si_sdr_bass"] == 0.0
    assert infos["training_config"]["separation"] == {"niter": 1}
    assert infos["training_config"]["evaluation"]["bss_eval"] == "fast"


def test_published_files_contain_no_machine_paths(run, tmp_path):
    conf = yaml.safe_load((run / "conf.yml").read_text())
    conf["training"]["pretrained"] = str(tmp_path / "older.pth")
    conf["data"].update(train_dir=[str(tmp_path / "songs")], source_dir=str(tmp_path / "zip"))
    (run / "conf.yml").write_text(yaml.safe_dump(conf))
    assert publish(run) == 0
    for path in (run / "publish_dir").iterdir():
        assert str(tmp_path).encode() not in path.read_bytes(), path
    published = load_package(run / "publish_dir")["infos"]["training_config"]
    assert published["optim"]["lr"] == conf["optim"]["lr"]
    assert published["training"]["pretrained"] == "older.pth"
    assert not {"train_dir", "source_dir", "num_workers"} & set(published["data"])


@pytest.mark.parametrize("what", ["other weights", "no record", "a damaged record"])
def test_scores_of_other_weights_are_left_out_with_a_message(run, what, capsys):
    record = run / "evaluation" / "record.json"
    if what == "other weights":
        package = load_package(run / "best_model.pth")
        package["state_dict"]["mean_scale.input_mean_bass"] += 1
        save_package(package, run / "best_model.pth")
    elif what == "no record":
        record.unlink()
    else:
        record.write_text(record.read_text()[:100])
    assert publish(run) == 0
    assert "The folder will contain no scores." in capsys.readouterr().out
    assert card(run / "publish_dir").eval_results is None
    assert load_package(run / "publish_dir")["infos"]["final_metrics"] == {}


def test_published_folder_is_not_published_into_itself(run, capsys):
    assert publish(run) == 0
    for given in (run / "publish_dir", run / "publish_dir" / "model.pth"):
        capsys.readouterr()
        assert publish(given) == 1
        assert "is published already: name the run" in capsys.readouterr().err
    assert card(run / "publish_dir").eval_results
    assert not (run / "publish_dir" / "publish_dir").exists()


def test_file_is_published_with_the_named_scores(package, tmp_path, capsys):
    bare = {key: package[key] for key in ("model_name", "model_args", "state_dict")}
    path = save_package(bare, tmp_path / "mine.safetensors")
    assert publish(path) == 1
    assert "does not describe its training data" in capsys.readouterr().err
    scores, out = tmp_path / "record.json", tmp_path / "out"
    write_scores(scores, package)
    assert publish(path, "--dataset", "musdb18hq", "--scores", scores, "-o", out) == 0
    assert card(out / "publish_dir").eval_results
    content = json.loads(scores.read_text())
    content["made_of"]["model"] = "sha256:0"
    scores.write_text(json.dumps(content))
    assert publish(path, "--dataset", "musdb18hq", "--scores", scores, "-o", out) == 1
    error = capsys.readouterr().err
    assert "are of another model (model changed)" in error and error.count("\n") == 1


def test_interrupted_publication_leaves_no_files_of_the_previous_model(run, package, monkeypatch):
    assert publish(run) == 0
    package["state_dict"]["mean_scale.input_mean_bass"] = torch.ones(33)
    save_package(package, run / "best_model.pth")

    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("asteroid_xscheme.weights.publishing.write_json", stop)
    assert publish(run) == 130
    left = [path for path in (run / "publish_dir").iterdir() if path.name != "recipe_name.txt"]
    assert {weights_hash(load_package(path)) for path in left if path.suffix != ".safetensors"} == {
        weights_hash(package)
    }
    assert {path.suffix for path in left} == {".pth", ".bin", ".safetensors"}


def test_two_publications_at_once_in_one_folder_are_refused(run, capsys):
    with alone(run):
        assert publish(run) == 1
    assert f"Another process is using {run}: wait for it" in capsys.readouterr().err
    assert not (run / "publish_dir").exists()


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # huggingface_hub's own
def test_pushed_run_is_loaded_by_its_id(run, package, hub_server, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ASTEROID_CACHE", str(tmp_path / "cache"))
    assert publish(run, "--push", "me/mine") == 0
    assert f"Uploaded to {hub_server.url}/me/mine" in capsys.readouterr().out
    assert weights_hash(load_package("me/mine")) == weights_hash(package)
    text = hub_server.repositories["me/mine"]["README.md"].decode()
    assert 'XUMX.from_pretrained("me/mine")' in text and "trained by me using" in text


def test_refused_push_ends_in_one_line_without_the_token(run, hub_server, capsys):
    hub_server.refusals["/api/repos/create"] = 403
    assert publish(run, "--push", "them/mine") == 1
    said = capsys.readouterr()
    assert "xscheme: them/mine was not pushed: the token has no write access" in said.err
    assert said.err.count("\n") == 1 and TOKEN not in said.out + said.err


@pytest.mark.slow
def test_push_uses_the_endpoint_of_the_environment(run, hub_server):
    environment = {"HF_ENDPOINT": hub_server.url, "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": TOKEN}
    command = [sys.executable, "-m", "xscheme", "publish", str(run), "--push", "me/mine"]
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith(f"Uploaded to {hub_server.url}/me/mine\n")
    assert "model.safetensors" in hub_server.repositories["me/mine"]
    assert TOKEN not in done.stdout + done.stderr

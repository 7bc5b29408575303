"""Stages 2 and 3 from the command line, with something changed in between."""

import json
import shutil
import sys

import pytest
import soundfile
import torch

from asteroid_xscheme.atomic import alone
from asteroid_xscheme.models import XUMX
from asteroid_xscheme.recipes.data import dataset_infos
from asteroid_xscheme.recipes.evaluation import TrackScores
from asteroid_xscheme.recipes.report import read_record
from asteroid_xscheme.recipes.stages import evaluate_run, publish_run, run_stage
from asteroid_xscheme.weights import load_package, save_package

QUICK = {"bss_eval": "fast", "baselines": False, "save_estimates": False}


def copy_tracks(songs, root, **tracks):
    """A folder with copies of test songs and one training song."""
    for name, original in {**tracks, "train": "train/a"}.items():
        target = root / ("train/a" if name == "train" else f"test/{name}")
        shutil.copytree(songs / original, target)
    return root


@pytest.fixture
def root(songs, tmp_path):
    return copy_tracks(songs, tmp_path / "songs", t="test/t", u="train/b")


class Run:
    """A run with an untrained model, and its stages."""

    def __init__(self, config, folder, monkeypatch):
        self.config, self.folder, self.monkeypatch = config, folder, monkeypatch
        folder.mkdir(parents=True)
        (folder / "conf.yml").write_text(config.to_yaml(), encoding="utf-8")
        self.train(seed=0)

    def train(self, seed):
        args = self.config.model.model_args(self.config.data.sample_rate)
        torch.manual_seed(seed)
        data = self.config.data
        package = XUMX(data.sources, sample_rate=data.sample_rate, **args).serialize()
        save_package({**package, **dataset_infos("folder")}, self.folder / "best_model.pth")

    def stage(self, number, *options):
        conf = ["--conf", str(self.folder / "conf.yml"), "--exp_dir", str(self.folder)]
        self.monkeypatch.setattr(sys, "argv", ["stage.py", *conf, *map(str, options)])
        run_stage("", {2: evaluate_run, 3: publish_run}[number])

    def fails(self, number, *options):
        with pytest.raises(SystemExit) as failure:
            self.stage(number, *options)
        message = str(failure.value)
        assert "\n" not in message
        return message

    def times(self):
        """By name, when each file of scores was written."""
        scores = self.folder / "evaluation" / "scores" / "test"
        return {path.stem: path.stat().st_mtime_ns for path in scores.glob("*.json")}

    def sdr(self, track="t", source="bass"):
        path = self.folder / "evaluation" / "scores" / "test" / f"{track}.json"
        return list(TrackScores.load(path).frames[source]["SDR"])

    def estimates(self):
        found = (self.folder / "evaluation" / "estimates").glob("*/*/*.wav")
        return {f"{path.parts[-3]}/{path.parts[-2]}/{path.stem}": path for path in found}


@pytest.fixture
def make_run(make_config, tmp_path, monkeypatch, root):
    def make(data={}, **evaluation):
        data = {"train_dir": [str(root)], "valid_tracks": [], **data}
        config = make_config(data=data, evaluation={**QUICK, **evaluation})
        return Run(config, tmp_path / "exp" / "run", monkeypatch)

    return make


def test_other_test_data_with_the_same_names_is_scored_including_baselines(
    make_run, songs, tmp_path, capsys
):
    run = make_run(baselines=True)
    other = copy_tracks(songs, tmp_path / "other", t="train/c", u="train/d")
    texts = []
    for options in ([], ["--test_dir", other], []):
        run.stage(2, *options)
        texts.append((run.folder / "results.md").read_text(encoding="utf-8"))
    assert texts[0] == texts[2] != texts[1]
    for row in ("| mixture", "| static filter", "| ratio-mask oracle", "| X-UMX "):
        first, second = (next(x for x in t.splitlines() if row in x) for t in texts[:2])
        assert first != second
    assert "t: scores: track changed. These are computed again" in capsys.readouterr().out


def test_only_a_changed_track_is_scored_again(make_run, root, songs, capsys):
    run = make_run()
    run.stage(2)
    before = run.times()
    shutil.copy(songs / "train" / "e" / "bass.wav", root / "test" / "u" / "bass.wav")
    run.stage(2)
    after = run.times()
    assert after["t"] == before["t"] and after["u"] != before["u"]
    assert "u: scores: track changed. These are computed again" in capsys.readouterr().out


def test_scores_of_removed_tracks_are_removed(make_run, root):
    run = make_run()
    run.stage(2)
    shutil.rmtree(root / "test" / "u")
    run.stage(2)
    assert list(run.times()) == ["t"]


def test_named_weights_are_scored_in_a_folder_without_a_run(make_run, tmp_path, capsys):
    run, folder = make_run(), tmp_path / "exp" / "eval_best_model"
    weights = tmp_path / "elsewhere.pth"
    (run.folder / "best_model.pth").rename(weights)
    run.stage(2, "--exp_dir", folder, "--eval_model", weights, "--metrics", "usdr")
    assert f"| {weights}" in capsys.readouterr().out
    metrics = json.loads((folder / "final_metrics.json").read_text(encoding="utf-8"))
    assert set(metrics) == {f"usdr_{source}" for source in run.config.data.sources}
    assert not list(run.folder.glob("*.json"))
    assert "train the model first" in run.fails(2)


def test_source_map_applies_to_scoring(make_run, root):
    run = make_run()
    run.stage(2)
    expected = [run.sdr(source=source) for source in run.config.data.sources]
    for folder in root.glob("*/*"):
        (folder / "other.wav").rename(folder / "guitar.wav")
    run.config.data.source_map = {root.name: {"guitar": "other"}}
    (run.folder / "conf.yml").write_text(run.config.to_yaml(), encoding="utf-8")
    run.stage(2)
    assert [run.sdr(source=source) for source in run.config.data.sources] == expected


def test_sources_left_out_in_training_are_left_out_of_the_scored_mixture(make_run, root, tmp_path):
    sources = ["bass", "drums", "vocals"]
    run = make_run(
        {"sources": sources, "source_map": {root.name: {"other": None}}}, save_estimates=True
    )
    run.stage(2)
    left_out = run.estimates()["test/t/bass"].read_bytes()
    for folder in root.glob("*/*"):  # the same songs, had the source never been there
        (folder / "other.wav").unlink()
        mixture = sum(soundfile.read(folder / f"{source}.wav")[0] for source in sources)
        soundfile.write(folder / "mixture.wav", mixture, 8000, subtype="FLOAT")
    run.config.data.source_map = {}
    (run.folder / "conf.yml").write_text(run.config.to_yaml(), encoding="utf-8")
    run.stage(2)
    never_there, rate = soundfile.read(run.estimates()["test/t/bass"])
    (tmp_path / "a.wav").write_bytes(left_out)
    torch.testing.assert_close(
        torch.tensor(soundfile.read(tmp_path / "a.wav")[0]),
        torch.tensor(never_there),
        rtol=0,
        atol=1e-6,  # float32 sums of samples below 1
    )


def test_missing_estimates_are_computed_again(make_run, capsys):
    run = make_run()
    run.stage(2)
    assert run.estimates() == {} and "separated songs are in" not in capsys.readouterr().out
    run.stage(2, "--save_estimates", "yes")
    assert len(run.estimates()) == 2 * 4
    assert "separated songs are in" in capsys.readouterr().out
    shutil.rmtree(run.estimates()["test/u/bass"].parent)
    run.stage(2, "--save_estimates", "yes")
    assert len(run.estimates()) == 2 * 4
    track, _ = read_record(run.folder).subsets["test"].tracks
    assert all(path.is_file() for paths in track.estimates.values() for path in paths)


@pytest.mark.parametrize("save", ["yes", "no"])
def test_estimate_replaced_after_scoring_is_noticed(make_run, root, capsys, save):
    run = make_run()
    run.stage(2, "--save_estimates", "yes")
    before, sdr = run.estimates()["test/t/bass"].read_bytes(), run.sdr()
    shutil.copy(root / "test" / "t" / "bass.wav", run.estimates()["test/t/bass"])
    run.stage(2, "--save_estimates", save)
    assert "t: estimates: files, bass changed. These are computed again" in capsys.readouterr().out
    assert run.sdr() == sdr
    if save == "yes":
        again = soundfile.read(run.estimates()["test/t/bass"])[0]
        run.estimates()["test/t/bass"].write_bytes(before)
        assert (again == soundfile.read(run.estimates()["test/t/bass"])[0]).all()
    else:
        assert "test/t/bass" not in run.estimates() and "test/u/bass" in run.estimates()


@pytest.mark.parametrize("damage", ["cut", "edited", "of an older version"])
def test_damaged_scores_are_computed_again_with_a_message(make_run, caplog, capsys, damage):
    run = make_run()
    run.stage(2)
    path, sdr = run.folder / "evaluation" / "scores" / "test" / "t.json", run.sdr()
    content = json.loads(path.read_text())
    content["targets"][0]["frames"][0]["metrics"]["SDR"] = 99.0
    del content["made_of" if damage == "of an older version" else "track"]
    if damage == "of an older version":
        del content["checksum"]
    path.write_text(json.dumps(content)[: 100 if damage == "cut" else None])
    run.stage(2)
    assert run.sdr() == sdr
    said = caplog.text + capsys.readouterr().out
    assert "t.json is damaged" in said or "there is no record of what it was made from" in said


@pytest.mark.parametrize("stage", [2, 3])
def test_run_that_another_process_uses_is_neither_evaluated_nor_published(make_run, stage):
    run = make_run()
    if stage == 3:
        run.stage(2)
    with alone(run.folder):
        assert f"Another process is using {run.folder}: wait for it" in run.fails(stage)
    assert not (run.folder / ("evaluation" if stage == 2 else "publish_dir")).exists()


def test_published_options_are_those_of_the_scoring(make_run):
    run = make_run()
    run.stage(2, "--niter", 0, "--softmask", "yes")
    run.stage(3, "--niter", 5)
    infos = load_package(str(run.folder / "publish_dir" / "model.pth"))["infos"]
    assert infos["training_config"]["separation"]["niter"] == 0
    assert infos["training_config"]["separation"]["softmask"] is True
    metrics = json.loads((run.folder / "final_metrics.json").read_text())
    assert infos["final_metrics"] == metrics
    card = (run.folder / "publish_dir" / "README.md").read_text(encoding="utf-8")
    assert "niter: 0" in card and "niter: 1" not in card and "niter: 5" not in card


def test_scores_of_another_model_are_not_published(make_run):
    run = make_run()
    assert "record.json. Evaluate the run (./run.sh --stage 2" in run.fails(3)
    run.stage(2)
    run.train(seed=1)
    message = run.fails(3)
    assert "are of another model (model changed). Evaluate the run" in message
    assert not (run.folder / "publish_dir").exists()
    run.stage(2)
    run.stage(3)


def test_tracks_with_one_name_in_two_subsets_have_separate_estimates(make_run, root, songs):
    shutil.copytree(songs / "train" / "c", root / "real" / "t")
    run = make_run(save_estimates=True)
    run.stage(2)
    one, other = (run.estimates()[f"{subset}/t/bass"] for subset in ("test", "real"))
    assert one.read_bytes() != other.read_bytes()
    references = [
        subset.tracks[0].references["bass"][0].resolve()
        for subset in read_record(run.folder).subsets.values()
    ]
    assert references == [root / "test" / "t" / "bass.wav", root / "real" / "t" / "bass.wav"]


def test_model_with_nan_is_an_error_and_leaves_no_scores(make_run):
    run = make_run()
    path = run.folder / "best_model.pth"
    package = torch.load(path, weights_only=True)
    for value in package["state_dict"].values():
        if value.is_floating_point():
            value.fill_(float("nan"))
    torch.save(package, path)
    assert "weights are not finite" in run.fails(2) and "weights are not finite" in run.fails(3)
    assert not run.times() and not run.estimates() and not (run.folder / "results.md").exists()


def test_reference_that_is_not_finite_is_named(make_run, root):
    run = make_run()
    bass = root / "test" / "u" / "bass.wav"
    waveform, rate = soundfile.read(bass)
    waveform[100] = float("nan")
    soundfile.write(bass, waveform, rate, subtype="FLOAT")
    assert f"{bass} contains samples that are not finite" in run.fails(2)
    assert "u" not in run.times()


def test_mistakes_are_reported_in_one_line_before_anything_is_scored(make_run, root):
    run = make_run()
    assert "no device 'nowhere'" in run.fails(2, "--eval_device", "nowhere")
    assert "no source piano to score" in run.fails(2, "--targets", "piano")
    assert "No tracks in" in run.fails(2, "--test_dir", root / "nowhere")
    (run.folder / "best_model.pth").unlink()
    assert "train the model first" in run.fails(2) and "train the model first" in run.fails(3)
    assert not (run.folder / "evaluation").exists()

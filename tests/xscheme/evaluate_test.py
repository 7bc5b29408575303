"""`xscheme evaluate` from the command line, read back by museval and musdb."""

import csv
import shutil
import warnings

import musdb
import museval
import numpy as np
import pytest
import soundfile
import torch
from huggingface_hub import ModelCard
from museval import EvalStore, MethodStore

from asteroid_xscheme.atomic import alone
from asteroid_xscheme.models import XUMX
from asteroid_xscheme.weights import save_package
from tests.conftest import MODELS
from xscheme import main

SOURCES = ["bass", "drums", "vocals", "other"]
QUICK = ["--bss-eval", "fast", "-j", "1", "-d", "cpu"]


@pytest.fixture(scope="module")
def data(songs):
    return songs


@pytest.fixture(scope="module")
def foreign(data, tmp_path_factory):
    """Estimates in the layouts of demucs, TRACK/SOURCE.wav, and of SiSEC, test/TRACK/..."""
    folder = tmp_path_factory.mktemp("foreign")
    generator = np.random.default_rng(0)
    for source in SOURCES:
        waveform, rate = soundfile.read(data / "test" / "t" / f"{source}.wav")
        estimate = waveform + 0.05 * generator.standard_normal(waveform.shape)
        for place in ("demucs/t", "sisec/test/t"):
            (folder / place).mkdir(parents=True, exist_ok=True)
            soundfile.write(folder / place / f"{source}.wav", estimate, rate, subtype="PCM_16")
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    names = {"nhop": "n_hop"}
    args = {names.get(k, k): v for k, v in MODELS["XUMX"].items() if k != "bandwidth"}
    path = tmp_path_factory.mktemp("weights") / "tiny.pth"
    save_package(XUMX(SOURCES, sample_rate=8000, **args).serialize(), path)
    return path


def rows(out):
    with open(out / "all_metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def out(data, foreign, weights, tmp_path_factory):
    """The results of a model and two folders. Not to be changed."""
    out = tmp_path_factory.mktemp("out")
    metrics = ["--metrics", "bsseval", "usdr", "si_sdr"]
    systems = ["-n", weights, "--estimates", foreign / "demucs", foreign / "sisec"]
    assert (
        main([*map(str, ["evaluate", *systems, "--data", data, "-o", out]), *metrics, *QUICK]) == 0
    )
    return out


def test_models_and_folders_share_one_table_csv_and_report(out):
    text = (out / "results.md").read_text(encoding="utf-8")
    for name in ("tiny", "demucs", "sisec", "mixture", "static filter", "ratio-mask oracle"):
        assert text.count(f"| {name} ") >= 3  # SDR, uSDR, SI-SDR
    assert (out / "report" / "report.html").is_file()
    of = {(row["system"], row["source"]): row for row in rows(out)}
    assert len(of) == 6 * 4
    one, other = (dict(of[name, "bass"], system="") for name in ("demucs", "sisec"))
    assert one == other


def test_figures_of_whole_songs_equal_their_definitions(out, data, foreign):
    for row in (row for row in rows(out) if row["system"] == "demucs"):
        reference, estimate = (
            soundfile.read(folder / "t" / f"{row['source']}.wav")[0].ravel()
            for folder in (data / "test", foreign / "demucs")
        )
        usdr = 10 * np.log10(
            ((reference**2).sum() + 1e-7) / (((reference - estimate) ** 2).sum() + 1e-7)
        )
        assert float(row["uSDR"]) == pytest.approx(usdr, abs=1e-4)  # digits of the file
        target = reference * (reference @ estimate) / (reference @ reference)
        si_sdr = 10 * np.log10((target @ target) / ((estimate - target) @ (estimate - target)))
        assert float(row["SI-SDR"]) == pytest.approx(si_sdr, abs=1e-4)


def test_museval_reads_the_scores_and_gets_equal_figures(out):
    store, methods = EvalStore(), MethodStore()
    store.add_eval_dir(str(out / "scores" / "demucs"))
    for name in ("tiny", "demucs", "static filter"):
        methods.add_eval_dir(str(out / "scores" / name))
    assert set(methods.df.method) == {"tiny", "demucs", "static filter"}
    expected = store.agg_frames_tracks_scores()
    for row in (row for row in rows(out) if row["system"] == "demucs"):
        assert float(row["SIR_median"]) == pytest.approx(expected[row["source"]]["SIR"], abs=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="musdb needs ffprobe")
def test_musdb_and_museval_score_the_estimates_equally(out, data, tmp_path):
    estimates = out / "estimates" / "tiny"
    assert [t.name for t in musdb.DB(str(estimates), is_wav=True)] == ["t"]
    vars(np.linalg).setdefault("linalg", np.linalg)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # museval's own
        museval.eval_mus_dir(
            musdb.DB(str(data), is_wav=True, subsets="test"), str(estimates), str(tmp_path)
        )
    one, other = EvalStore(), EvalStore()
    one.add_eval_dir(str(tmp_path))
    other.add_eval_dir(str(out / "scores" / "tiny"))
    expected, found = (s.agg_frames_tracks_scores().unstack()["SDR"] for s in (one, other))
    for source in SOURCES:
        assert found[source] == pytest.approx(expected[source], abs=2e-3)


def test_scores_are_published_with_their_weights(out, weights, tmp_path):
    scores = ["--scores", out / "records" / "tiny" / "record.json", "--dataset", "folder"]
    assert main([*map(str, ["publish", weights, *scores, "-o", tmp_path])]) == 0
    results = ModelCard.load(tmp_path / "publish_dir" / "README.md").data.eval_results
    published = {each.metric_name: each.metric_value for each in results}
    for row in (row for row in rows(out) if row["system"] == "tiny"):  # of the only song
        name, usdr = f"uSDR of {row['source']} in dB", float(row["uSDR"])
        assert published[name] == pytest.approx(usdr, abs=1e-3)


def test_only_a_changed_estimate_is_scored_again(out, data, foreign, tmp_path, capsys):
    estimates = shutil.copytree(foreign / "demucs", tmp_path / "estimates")
    command = ["evaluate", "--estimates", estimates, "--data", data, "-o", tmp_path / "out"]
    command = [*map(str, command), "--no-baselines", *QUICK]
    path = tmp_path / "out" / "scores" / "estimates" / "test" / "t.json"
    assert main(command) == 0
    first = path.stat().st_mtime_ns
    assert main(command) == 0 and path.stat().st_mtime_ns == first
    shutil.copy(data / "test" / "t" / "bass.wav", estimates / "t" / "bass.wav")
    assert main(command) == 0 and path.stat().st_mtime_ns != first
    assert "files, bass.wav changed" in capsys.readouterr().out


def test_systems_with_one_name_are_kept_apart_across_commands(data, foreign, weights, tmp_path):
    out = tmp_path / "out"
    common = ["--data", str(data), "-o", str(out), "--no-baselines", "--metrics", "usdr", *QUICK]
    same = shutil.copytree(foreign / "demucs", tmp_path / "elsewhere" / "tiny")
    for systems in (["-n", weights], ["--estimates", same], ["-n", weights]):
        assert main(["evaluate", *map(str, systems), *common]) == 0
    whole = str(same).strip("/").replace("/", "_")
    assert {path.name for path in (out / "records").iterdir()} == {"tiny", whole}
    assert {row["system"] for row in rows(out)} == {"tiny"}


def test_systems_that_no_path_tells_apart_are_refused(data, foreign, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(foreign)
    command = ["evaluate", "-n", "demucs", "--estimates", "demucs", "--data", str(data)]
    assert main([*command, "-o", str(tmp_path), "--no-baselines"]) == 1
    error = capsys.readouterr().err
    assert "demucs: " in error and "another system named demucs (model " in error
    assert "Give a longer path, or choose another -o" in error


def test_two_evaluations_at_once_in_one_folder_are_refused(data, foreign, tmp_path, capsys):
    command = ["evaluate", "--estimates", foreign / "demucs", "--data", data, "-o", tmp_path]
    with alone(tmp_path):
        assert main([*map(str, command)]) == 1
    assert f"Another process is using {tmp_path}: wait for it" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


@pytest.mark.parametrize(
    "options, message",
    [
        ([], "There is nothing to score"),
        (["--estimates", "nowhere"], "nowhere has no estimates of t"),
        (["-n", "nowhere.pth"], "nowhere.pth"),
        (["--estimates", "nowhere", "--targets", "piano"], "no source piano to score"),
        (["--estimates", "nowhere", "-d", "nowhere"], "no device 'nowhere'"),
    ],
)
def test_mistakes_are_reported_in_one_line(options, message, data, tmp_path, capsys):
    command = ["evaluate", "--data", str(data), "-o", str(tmp_path), "--no-baselines"]
    assert main([*command, *options]) == 1
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_accompaniment_is_the_sum_of_all_but_vocals(data, foreign, tmp_path):
    command = ["evaluate", "--estimates", foreign / "demucs", "--data", data, "-o", tmp_path]
    targets = ["--targets", "vocals", "accompaniment", "--metrics", "usdr"]
    assert main([*map(str, command), "--no-baselines", *targets, *QUICK]) == 0
    vocals, accompaniment = rows(tmp_path)
    assert [vocals["source"], accompaniment["source"]] == ["vocals", "accompaniment"]
    reference, estimate = (
        sum(soundfile.read(folder / "t" / f"{s}.wav")[0] for s in SOURCES if s != "vocals")
        for folder in (data / "test", foreign / "demucs")
    )
    usdr = 10 * np.log10((reference**2).sum() / ((reference - estimate) ** 2).sum())
    assert float(accompaniment["uSDR"]) == pytest.approx(usdr, abs=1e-3)

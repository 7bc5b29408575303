"""Evaluations of several tracks: files on disk, resuming, and errors in other processes."""

import time
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest
import torch

from asteroid_xscheme.atomic import alone
from asteroid_xscheme.audio import probe_audio, write_audio
from asteroid_xscheme.recipes import evaluation
from asteroid_xscheme.recipes.data import find_tracks
from asteroid_xscheme.recipes.evaluation import (
    Scoring,
    ScoringError,
    evaluate_baselines,
    evaluate_separation,
    of_tracks,
)
from asteroid_xscheme.recipes.evaluation.scoring import ScoringPool

RATE = 2000
SOURCES = ("bass", "vocals")
SCORING = Scoring(SOURCES, "fast", jobs=1)


class CountingSeparator:
    """Gives each source half of the mixture, and counts the songs."""

    def __init__(self, spoil=lambda waveform: waveform):
        self.n_songs = 0
        self.spoil = spoil

    def __call__(self, mixture, sample_rate):
        self.n_songs += 1
        return {source: self.spoil(mixture / 2) for source in SOURCES}


def evaluate(separator, tracks, folder, **options):
    places = (folder / "scores", folder / "estimates")
    return evaluate_separation(separator, tracks, *places, SCORING, **options)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Songs of three seconds: low noise and high noise. Not to be changed."""
    root = tmp_path_factory.mktemp("songs")
    generator = torch.Generator().manual_seed(0)
    for name in ("train/a", "test/b", "test/c"):
        noise = 0.1 * torch.randn(2, 1, 3 * RATE + 1, generator=generator)
        low, high = noise[0, :, 1:] + noise[0, :, :-1], noise[1, :, 1:] - noise[1, :, :-1]
        (root / name).mkdir(parents=True)
        for part, waveform in (("bass", low), ("vocals", high), ("mixture", low + high)):
            write_audio(root / name / f"{part}.wav", waveform, RATE, "FLOAT")
    return root


@pytest.fixture(scope="module")
def tracks(root):
    return find_tracks(root, "test", SOURCES)


@pytest.fixture(scope="module")
def folder(tracks, tmp_path_factory):
    """The folder of a finished run. Not to be changed."""
    folder = tmp_path_factory.mktemp("run")
    evaluate(CountingSeparator(), tracks, folder)
    return folder


def test_run_keeps_scores_and_estimates_of_every_track(folder):
    files = sorted(str(p.relative_to(folder)) for p in folder.rglob("*.*"))
    assert files == [
        "estimates/test/b/bass.wav",
        "estimates/test/b/made_of.json",
        "estimates/test/b/vocals.wav",
        "estimates/test/c/bass.wav",
        "estimates/test/c/made_of.json",
        "estimates/test/c/vocals.wav",
        "scores/test/b.json",
        "scores/test/c.json",
    ]
    assert probe_audio(folder / "estimates/test/b/bass.wav").n_samples == 3 * RATE


def test_track_with_scores_on_disk_is_not_separated_again(folder, tracks):
    separator = CountingSeparator()
    scores = evaluate(separator, tracks, folder)
    assert separator.n_songs == 0
    assert [of.track for of in scores] == ["b", "c"]
    assert all(of.frames["bass"]["SDR"].shape == (3,) for of in scores)


def test_only_the_unfinished_track_is_separated_and_estimates_are_removed_if_not_kept(
    folder, tracks, tmp_path
):
    finished = folder / "scores" / "test" / "b.json"
    (tmp_path / "scores" / "test").mkdir(parents=True)
    (tmp_path / "scores" / "test" / "b.json").write_bytes(finished.read_bytes())
    separator = CountingSeparator()
    scores = evaluate(separator, tracks, tmp_path, keep=False)
    assert separator.n_songs == 1
    assert list((tmp_path / "estimates").rglob("*.*")) == []
    again = evaluate(separator, tracks, folder)
    np.testing.assert_array_equal(scores[1].frames["bass"]["SDR"], again[1].frames["bass"]["SDR"])


def test_scores_of_another_model_are_computed_again(tracks, tmp_path, capsys):
    separator = CountingSeparator()
    for model, n_songs in (("first", 1), ("first", 1), ("second", 2)):
        evaluate(separator, tracks[:1], tmp_path, made_of={"model": model})
        assert separator.n_songs == n_songs
    assert (
        "scores: model was first, is now second. These are computed again"
        in capsys.readouterr().out
    )


def test_error_in_a_scoring_process_names_the_track(tracks, tmp_path):
    separator = CountingSeparator(spoil=lambda waveform: waveform[:, :-1])
    with pytest.raises(ScoringError, match="test/b could not be scored: b: the estimates have 1"):
        evaluate(separator, tracks[:1], tmp_path)
    assert list(tmp_path.glob("scores/test/*")) == []


def test_bug_in_scoring_names_the_track_and_is_not_a_mistake(tracks):
    class Processes:
        def submit(self, *_):
            failed = Future()
            failed.set_exception(ValueError("boom"))
            return failed

    pool = ScoringPool(Processes(), 1)
    pool.submit("key", tracks[0], print)
    with pytest.raises(RuntimeError, match=f"{tracks[0].folder} could not be scored: boom"):
        pool.finish()


def test_baselines_rise_from_mixture_to_static_filter_to_oracle(root, tracks, tmp_path):
    train_tracks = find_tracks(root, "train", SOURCES)
    scores = evaluate_baselines(tracks, train_tracks, tmp_path, SCORING)
    assert list(scores) == ["mixture", "static filter", "ratio-mask oracle"]
    sdr = {name: of_tracks(of)["vocals"]["SDR"] for name, of in scores.items()}
    assert sdr["mixture"] + 3 < sdr["static filter"] < sdr["ratio-mask oracle"]
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("test/*.json")}
    again = evaluate_baselines(tracks, train_tracks, tmp_path, SCORING)
    assert again.keys() == scores.keys()
    assert written and written == {path: path.stat().st_mtime_ns for path in written}


def test_evaluation_waits_for_baselines_that_another_one_is_scoring(
    tracks, folder, tmp_path, caplog
):
    shared, places = tmp_path / "baselines", (tmp_path / "scores", tmp_path / "record.json")
    half = evaluation.estimates_system("half", folder / "estimates", SCORING, places, "")
    data = evaluation.TestData("songs", {"test": tracks}, (), shared)
    with ThreadPoolExecutor(1) as pool:
        with alone(shared):
            done = pool.submit(evaluation.evaluate, [half], data, SCORING, tmp_path / "run")
            while "Waiting for another process" not in caplog.text and not done.done():
                time.sleep(0.01)
            assert not list(shared.rglob("*.json"))
        assert list(done.result().scores["test"]) == ["mixture", "ratio-mask oracle", "half"]

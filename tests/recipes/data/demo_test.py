"""Laws of the demo set: what is on disk after any call."""

import importlib.util
import shutil
import sys

import numpy as np
import pytest
import soundfile
from scipy.io import wavfile

from asteroid_xscheme.recipes.data import DataError
from asteroid_xscheme.recipes.data.demo import VALID_TRACKS, demo_set, remove_others
from asteroid_xscheme.recipes.data.making import make_songs
from asteroid_xscheme.recipes.data.real_track import RealTrack, find_real_track
from asteroid_xscheme.recipes.identity import RECORD_FILE, read_record, write_record
from demo_songs import SOURCES

FILES = {"mixture.wav", "bass.wav", "drums.wav", "other.wav", "vocals.wav", RECORD_FILE}


def render(root, *counts, jobs=1):
    """The demo set with songs of a second."""
    songs = demo_set(*counts, seconds=1.0)
    remove_others(root, songs)
    make_songs(root, songs, jobs, progress=False)
    return root


@pytest.fixture(scope="module")
def small_set(tmp_path_factory):
    return render(tmp_path_factory.mktemp("demo"), 1, 1, 1)


def test_set_is_laid_out_as_musdb18_hq(small_set):
    folders = {path.parent.name: path.name for path in small_set.glob("t*/*")}
    assert sorted(path.name for path in (small_set / "train").iterdir()) == [
        "Amber Harbour",
        "Amber Satellite",
    ]
    assert folders["test"] == "Amber Telephone"
    for folder in small_set.glob("t*/*"):
        assert {path.name for path in folder.iterdir()} == FILES
        rate, signal = wavfile.read(folder / "mixture.wav")
        assert (rate, signal.shape, signal.dtype) == (44100, (44100, 2), np.int16)


def test_validation_songs_have_their_own_names_in_train(small_set):
    assert len(set(VALID_TRACKS)) == 6
    assert (small_set / "train" / VALID_TRACKS[0]).is_dir()


def test_second_call_renders_only_what_is_outdated_or_damaged(small_set, tmp_path, caplog):
    root = shutil.copytree(small_set, tmp_path / "set")
    (root / ".preparing" / "killed").mkdir(parents=True)
    outdated = root / "train" / "Amber Harbour"
    write_record(outdated, {**read_record(outdated), "demo_songs": 0})
    (root / "test" / "Amber Telephone" / "bass.wav").unlink()
    kept = root / "train" / "Amber Satellite" / "mixture.wav"
    before = kept.stat().st_mtime_ns
    render(root, 1, 1, 1)
    assert kept.stat().st_mtime_ns == before
    for name in ("train/Amber Harbour", "test/Amber Telephone"):
        for file in FILES:
            assert (root / name / file).read_bytes() == (small_set / name / file).read_bytes()
    assert not (root / ".preparing").exists()
    assert "train/Amber Harbour (demo_songs was 0, is now 3)" in caplog.text
    assert "test/Amber Telephone (bass.wav is missing)" in caplog.text


def test_songs_no_longer_needed_are_removed_but_not_the_users(small_set, tmp_path):
    root = shutil.copytree(small_set, tmp_path / "set")
    (root / "train" / "My own song").mkdir()
    render(root, 1, 0, 1)
    names = {path.name for path in (root / "train").iterdir()}
    assert names == {"Amber Harbour", "My own song"}


def test_songs_rendered_in_parallel_are_equal(small_set, tmp_path):
    render(tmp_path, 1, 1, 0, jobs=2)
    for folder in small_set.glob("train/*"):
        twin = tmp_path / "train" / folder.name
        assert (twin / "mixture.wav").read_bytes() == (folder / "mixture.wav").read_bytes()


def test_songs_that_are_too_short_are_an_error():
    with pytest.raises(DataError, match="at least 1 second long, got 0.5"):
        demo_set(1, 1, 1, seconds=0.5)


def test_more_songs_than_names_are_an_error():
    with pytest.raises(DataError, match="0 to 144 test songs, got 145"):
        demo_set(1, 1, 145)


def test_missing_stempeg_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "stempeg", None)
    with pytest.raises(DataError, match="pip install stempeg"):
        find_real_track()


@pytest.mark.skipif(importlib.util.find_spec("stempeg") is None, reason="stempeg is not installed")
def test_real_track_is_cut_at_both_ends_and_does_not_add_up_exactly(tmp_path):
    make_songs(tmp_path, [RealTrack()], jobs=1, progress=False)
    folder = tmp_path / "real" / "Falcon 69"
    signals = {p.stem: soundfile.read(p, dtype="float32")[0] for p in folder.glob("*.wav")}
    mixture = signals.pop("mixture")
    assert set(signals) == set(SOURCES)
    assert mixture.dtype == np.float32
    assert mixture.shape == (268288 - 2 * 4410, 2)
    rest = mixture - sum(signals.values())
    assert 10 * np.log10((rest**2).mean() / (mixture**2).mean()) == pytest.approx(-22.3, abs=0.3)
    before = (folder / "mixture.wav").stat().st_mtime_ns
    make_songs(tmp_path, [RealTrack()], jobs=1, progress=False)
    assert (folder / "mixture.wav").stat().st_mtime_ns == before

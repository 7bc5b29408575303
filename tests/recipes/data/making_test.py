"""Prepared songs follow their originals, and a kill at any moment leaves only whole ones."""

import multiprocessing
import os
import random
import shutil
import sys
import time
import zipfile

import pytest

from asteroid_xscheme.recipes.config import DataConfig
from asteroid_xscheme.recipes.data import find_tracks, prepare, track_contents
from asteroid_xscheme.recipes.data.musdb import SUBSETS
from asteroid_xscheme.recipes.identity import read_record

from .conftest import RATE, SOURCES

KILLED = 9


def run(root, source_dir, dataset="folder", **options):
    config = DataConfig(
        dataset=dataset, source_dir=str(source_dir), sample_rate=RATE, sources=SOURCES, **options
    )
    return prepare(config, root, jobs=1, progress=False)


def contents(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for subset in SUBSETS
        for path in sorted((root / subset).rglob("*.*"))
    }


@pytest.fixture
def two_songs(tmp_path, make_track):
    for name in "ab":
        make_track(tmp_path / "mine" / "train" / name, ["bass", "drums"], 800, mixture=False)
    return tmp_path / "mine"


def change(two_songs, make_track, n_samples=600):
    shutil.rmtree(two_songs / "train" / "a")
    make_track(two_songs / "train" / "a", ["bass", "drums"], n_samples, mixture=False)


def test_changed_original_is_prepared_again_and_reaches_training(
    two_songs, tmp_path, make_track, caplog
):
    prepared = run(tmp_path / "p", two_songs)
    before, kept = track_contents(find_tracks(prepared, "train", SOURCES)), contents(prepared)
    change(two_songs, make_track)
    run(prepared, two_songs)
    after = track_contents(find_tracks(prepared, "train", SOURCES))
    assert after["train/a"] != before["train/a"] and after["train/b"] == before["train/b"]
    assert "train/a (originals, bass changed; originals, drums changed)" in caplog.text
    assert "train/b" not in caplog.text
    assert {n: c for n, c in contents(prepared).items() if "/b/" in n} == {
        n: c for n, c in kept.items() if "/b/" in n
    }


def test_new_file_is_prepared_and_reported(two_songs, tmp_path, caplog):
    prepared = run(tmp_path / "p", two_songs)
    shutil.copy(two_songs / "train/a/bass.wav", two_songs / "train/b/violin.wav")
    run(prepared, two_songs)
    assert (prepared / "train" / "b" / "violin.wav").is_file()
    assert "train/b (originals, violin is new)" in caplog.text


def test_unchanged_songs_are_not_prepared_again(two_songs, tmp_path, caplog):
    prepared = run(tmp_path / "p", two_songs)
    states = {path: path.stat().st_mtime_ns for path in prepared.rglob("*")}
    for path in two_songs.rglob("*.wav"):
        os.utime(path, (1, 1))
    run(prepared, two_songs)
    assert {path: path.stat().st_mtime_ns for path in prepared.rglob("*")} == states
    assert not caplog.text


def test_changed_member_of_a_zip_is_noticed(two_songs, tmp_path, make_track, caplog):
    for n_samples in (800, 600):
        change(two_songs, make_track, n_samples)
        with zipfile.ZipFile(tmp_path / "songs.zip", "w") as archive:
            for file in two_songs.rglob("*.wav"):
                archive.write(file, file.relative_to(two_songs))
        prepared = run(tmp_path / "p", tmp_path / "songs.zip")
    assert find_tracks(prepared, "train", SOURCES)[0].n_samples == 600
    assert "train/a (originals, bass changed; originals, drums changed)" in caplog.text
    assert "train/b" not in caplog.text


def test_source_map_that_changes_the_mixture_is_named(two_songs, tmp_path, caplog):
    prepared = run(tmp_path / "p", two_songs)
    before = contents(prepared)["train/a/mixture.wav"]
    run(prepared, two_songs, source_map={"p": {"drums": None}})
    assert contents(prepared)["train/a/mixture.wav"] != before
    assert "train/a (not in the mixture was [], is now ['drums'])" in caplog.text


def test_song_without_a_record_is_left_alone_and_named(two_songs, tmp_path, caplog):
    prepared = run(tmp_path / "p", two_songs)
    (prepared / "train" / "a" / "made_of.json").unlink()
    (prepared / "train" / "a" / "bass.wav").write_bytes(b"mine")
    run(prepared, two_songs)
    assert (prepared / "train" / "a" / "bass.wav").read_bytes() == b"mine"
    assert "no record of what they were made from" in caplog.text and "train/a" in caplog.text


def test_song_without_its_original_is_kept_and_named(two_songs, tmp_path, caplog):
    prepared = run(tmp_path / "p", two_songs)
    shutil.rmtree(two_songs / "train" / "b")
    run(prepared, two_songs)
    assert (prepared / "train" / "b").is_dir()
    assert "1 songs of" in caplog.text and "(train/b)" in caplog.text


def _killed_at_a_write(prepared, two_songs, moment):
    """Prepare, and die as by a kill before the given write into the folder."""
    left = moment

    def die(event, arguments):
        nonlocal left
        is_write = event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink")
        is_write |= event == "open" and "w" in str(arguments[1])
        if is_write and os.fspath(prepared) in os.fsdecode(os.fspath(arguments[0])):
            left -= 1
            if left < 0:
                os._exit(KILLED)

    sys.addaudithook(die)
    run(prepared, two_songs)


def _in_a_process(target, *arguments):
    process = multiprocessing.get_context("fork").Process(target=target, args=arguments)
    process.start()
    return process


needs_fork = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="needs fork"
)


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("again", [False, True])
def test_preparation_killed_before_any_write_resumes_to_the_same_result(
    two_songs, tmp_path, make_track, again
):
    run(tmp_path / "old", two_songs)
    if again:
        change(two_songs, make_track)
    expected = contents(run(tmp_path / "expected", two_songs))
    for moment in range(1000):
        prepared = tmp_path / str(moment)
        if again:
            shutil.copytree(tmp_path / "old", prepared)
        process = _in_a_process(_killed_at_a_write, prepared, two_songs, moment)
        process.join()
        for folder in prepared.glob("t*/*"):  # what is there is whole
            assert set(read_record(folder)["files"]) < {path.name for path in folder.iterdir()}
        assert contents(run(prepared, two_songs)) == expected
        assert not (prepared / ".preparing").exists()
        if process.exitcode == 0:
            break
        assert process.exitcode == KILLED
    assert moment > 15


@needs_fork
@pytest.mark.fuzz
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("dataset", ["folder", "musdb18hq"])
def test_preparation_killed_at_any_time_resumes_to_the_same_result(root, tmp_path, dataset):
    expected = contents(run(tmp_path / "expected", root, dataset))
    moments = random.Random(0)
    for attempt in range(60):
        prepared = tmp_path / str(attempt)
        for _ in range(moments.randint(1, 3)):
            process = _in_a_process(run, prepared, root, dataset)
            time.sleep(moments.uniform(0, 0.5))
            process.kill()
            process.join()
        assert contents(run(prepared, root, dataset)) == expected

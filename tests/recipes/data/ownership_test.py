"""Commands write nothing into a folder that is not ours, and name options that differ."""

import os
import sys

import pytest

from asteroid_xscheme.recipes.data.ownership import MARKER
from asteroid_xscheme.recipes.stages import prepare_data, run_stage
from xscheme import main

from .conftest import RATE


def prepare(*arguments):
    return main(["data", "prepare", "--sample_rate", str(RATE), "-q", *map(str, arguments)])


def listing(folder):
    """Every file and folder below, with the time it was changed and its size."""
    states = {path: path.lstat() for path in [folder, *sorted(folder.rglob("*"))]}
    return [(str(path), state.st_mtime_ns, state.st_size) for path, state in states.items()]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--dataset", "demo", "--sample_rate", "44100"],
        ["--dataset", "folder", "--source_dir", "{songs}"],
        ["--dataset", "musdb18hq", "--source_dir", "{songs}"],
        ["--dataset", "musdb18", "--source_dir", "{songs}"],
        ["--dataset", "musdb18hq"],
    ],
)
def test_folder_that_is_not_ours_is_refused_before_anything_is_written(
    root, songs, tmp_path, capsys, arguments
):
    before = listing(tmp_path)
    assert prepare("--root", root, *(text.format(songs=songs) for text in arguments)) == 1
    assert listing(tmp_path) == before
    assert "contains test, train. Choose another folder" in capsys.readouterr().err


def test_stage_0_refuses_the_users_folder_in_one_line(root, tmp_path, monkeypatch):
    before = listing(tmp_path)
    conf = tmp_path.parent / f"{tmp_path.name}.yml"
    conf.write_text(f"data: {{dataset: demo, train_dir: [{root}], sample_rate: 44100}}")
    monkeypatch.setattr(sys, "argv", ["prepare", "--conf", str(conf)])
    with pytest.raises(SystemExit) as stop:
        run_stage("", prepare_data)
    message = str(stop.value)
    assert f"{root} was not made by `prepare`" in message and "\n" not in message
    assert listing(tmp_path) == before


def test_folder_that_is_not_empty_is_not_ours(songs, tmp_path, capsys):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "x.jpg").touch()
    assert prepare("--dataset", "folder", "--source_dir", songs, "--root", tmp_path / "photos") == 1
    assert "contains x.jpg. Choose" in capsys.readouterr().err
    assert os.listdir(tmp_path / "photos") == ["x.jpg"]


@pytest.mark.parametrize(
    "left_by_a_kill", [[], [".lock"], [".lock", ".xscheme-1-of-the-dead.part"]]
)
def test_empty_folder_becomes_ours_even_after_a_kill(songs, tmp_path, left_by_a_kill):
    (tmp_path / "new").mkdir()
    for name in left_by_a_kill:
        (tmp_path / "new" / name).touch()
    command = ["--dataset", "musdb18hq", "--source_dir", songs, "--root", tmp_path / "new"]
    assert prepare(*command) == prepare(*command) == 0
    assert set(os.listdir(tmp_path / "new")) == {".lock", MARKER, "train", "test"}


def test_mistake_in_source_dir_leaves_nothing_behind(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    command = ["--dataset", "folder", "--source_dir", tmp_path / "empty", "--root", tmp_path / "p"]
    assert prepare(*command) == 1
    assert "No songs in" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["empty"]


def test_other_options_are_named(songs, tmp_path, capsys):
    command = ["--source_dir", songs, "--root", tmp_path / "p"]
    assert prepare("--dataset", "musdb18hq", *command) == 0
    assert prepare("--dataset", "folder", *command, "--sample_rate", 4000) == 1
    message = (
        "other options: dataset was musdb18hq, is now folder; sample_rate was 8000, is now 4000"
    )
    assert message in capsys.readouterr().err


def test_damaged_marker_is_reported(songs, tmp_path, capsys):
    command = ["--dataset", "musdb18hq", "--source_dir", songs, "--root", tmp_path / "p"]
    assert prepare(*command) == 0
    (tmp_path / "p" / MARKER).write_text("{")
    assert prepare(*command) == 1
    assert f"{MARKER} is damaged" in capsys.readouterr().err


def test_nothing_is_written_through_a_link_to_the_users_folder(songs, root, tmp_path, capsys):
    command = ["--dataset", "folder", "--source_dir", songs, "--root", tmp_path / "p"]
    assert prepare(*command) == 0
    os.rename(tmp_path / "p" / "train", tmp_path / "was")
    (tmp_path / "p" / "train").symlink_to(root / "train")
    before = listing(root)
    assert prepare(*command) == 1
    assert "is a link to" in capsys.readouterr().err
    assert listing(root) == before


def test_linked_originals_are_untouched_when_songs_are_prepared_again(root, tmp_path):
    command = ["--dataset", "musdb18hq", "--source_dir", root, "--root", tmp_path / "p"]
    assert prepare(*command) == 0
    (tmp_path / "p" / "train" / "a" / "bass.wav").unlink()
    before = listing(root)
    assert prepare(*command) == 0
    assert (tmp_path / "p" / "train" / "a" / "bass.wav").is_symlink()
    assert listing(root) == before

"""`xscheme data prepare` and `xscheme data verify` from the command line."""

import pytest
import torch

import xscheme
from asteroid_xscheme.audio import write_audio

RATE = 8000


@pytest.fixture
def songs(tmp_path):
    """A user's folder with a song of two sources."""
    folder = tmp_path / "songs" / "my song"
    folder.mkdir(parents=True)
    for name in ("voice", "guitar"):
        write_audio(folder / f"{name}.wav", 0.1 * torch.randn(2, RATE), RATE)
    return tmp_path / "songs"


def run(*arguments):
    return xscheme.main(["data", *map(str, arguments)])


def prepare(songs, root):
    options = ["--dataset", "folder", "--source_dir", songs, "--root", root]
    return run("prepare", *options, "--sample_rate", RATE, "--quiet")


def test_prepare_summarises_the_data(songs, tmp_path, capsys):
    assert prepare(songs, tmp_path / "root") == 0
    expected = f"Prepared {tmp_path / 'root'}\n  train: 1 tracks with the sources guitar, voice\n"
    assert capsys.readouterr().out == expected


def test_verify_exits_with_0_if_there_are_no_problems(songs, tmp_path, capsys):
    prepare(songs, tmp_path / "root")
    assert run("verify", tmp_path / "root", "--sample_rate", RATE, "--quiet") == 0
    assert "no problems" in capsys.readouterr().out


def test_verify_exits_with_1_and_names_each_problem(songs, tmp_path, capsys):
    prepare(songs, tmp_path / "root")
    assert run("verify", tmp_path / "root", "--sample_rate", 44100, "--quiet") == 1
    out = capsys.readouterr().out
    assert out.count("8000 Hz, expected 44100 Hz") == 3 and "3 problems" in out


def test_error_is_reported_in_one_line(tmp_path, capsys):
    assert prepare(tmp_path / "nowhere", tmp_path / "root") == 1
    error = capsys.readouterr().err
    assert error.startswith("xscheme: --source_dir") and error.count("\n") == 1

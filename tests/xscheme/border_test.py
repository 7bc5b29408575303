"""Bad input to `xscheme separate`: one line for each mistake, and no input is overwritten."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
import torch

import xscheme
from asteroid_xscheme.audio import read_audio, write_audio
from asteroid_xscheme.models import XUMX
from asteroid_xscheme.separation import Separator
from asteroid_xscheme.weights import save_package
from xscheme.messages import printable

SOURCES = ["drums", "vocals"]


def network():
    sizes = dict(window_length=256, in_chan=256, n_hop=64, hidden_size=8, nb_layers=1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return XUMX(SOURCES, sample_rate=8000, **sizes)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_package(network().serialize(), tmp_path_factory.mktemp("model") / "tiny.pth")


@pytest.fixture
def run(model, tmp_path, capsys):
    """Function (*arguments) -> (exit status, error lines); stems go to OUT = tmp_path / "out"."""

    def call(*arguments, name=model):
        options = ["-n", str(name), "-o", str(tmp_path / "out"), "-d", "cpu", "-q"]
        status = xscheme.main(["separate", *options, *map(str, arguments)])
        return status, capsys.readouterr().err.splitlines()

    return call


def song(path, n_samples=4000, scale=0.1, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(0)
    write_audio(path, scale * torch.randn(2, n_samples, generator=generator), 8000, **options)
    return path


def made(tmp_path):
    out = tmp_path / "out"
    return sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "options, message",
    [
        (["--start", "inf"], "--start: expected a finite time of 0 s or more, got inf"),
        (["--start", "nan"], "--start: expected"),
        (["--duration", "inf"], "--duration: expected a finite time above 0 s"),
        (["--segment", "inf"], "--segment: expected a finite length"),
        (["--wiener-win-len", "-5"], "--wiener-win-len: expected 0 to 2147483648 frames"),
        (["--batch-size", str(10**30)], "--batch-size: expected"),
        (["--shifts", str(10**9)], "--shifts: expected 1 to 100 shifts"),
        (["-j", "0"], "--jobs: expected 1 or more"),
        (["-d", "meta"], "no device 'meta'"),
        (["-d", "hpu"], "no device 'hpu'"),
        (["--filename", "{stem.x}"], "Cannot use the filename '{stem.x}'"),
        (["--residual", "a/b"], "a residual name that works as a file name, got 'a/b'"),
        (["--mp3", "--mp3-bitrate", "100"], "--mp3-bitrate: expected one of 8, 16"),
        (["--json", "no/such/folder.json"], "--json no/such/folder.json: No such file"),
        (["--json", "."], "--json .: not a file"),
    ],
)
def test_invalid_option_is_reported_in_one_line_with_its_name(run, tmp_path, options, message):
    status, errors = run(song(tmp_path / "a.wav"), *options)
    assert (status, len(errors)) == (1, 1)
    assert errors[0].startswith("xscheme: ") and message in errors[0]
    assert not made(tmp_path)


def cut_flac(path):
    content = song(path, 80000).read_bytes()
    path.write_bytes(content[: len(content) // 2])


def damaged_flac(path):
    content = bytearray(song(path, 80000).read_bytes())
    content[len(content) // 2 : len(content) // 2 + 3000] = bytes(3000)
    path.write_bytes(content)


def unknown_codec(path):
    content = bytearray(song(path).read_bytes())
    content[20:22] = b"\x99\x77"
    path.write_bytes(content)


@pytest.mark.parametrize(
    "name, make, message",
    [
        ("bad.flac", cut_flac, "its header says 10.0 s"),
        ("bad.flac", damaged_flac, "is damaged after"),
        ("bad.wav", unknown_codec, "neither libsndfile nor ffmpeg supports its codec"),
        ("bad.wav", lambda path: os.symlink(path.name, path), "Too many levels of symbolic links"),
        ("bad.wav", os.mkfifo, "is a pipe or a device"),
        ("x" * 300 + ".wav", lambda path: None, "File name too long"),
        ("bad.wav", lambda path: soundfile.write(path, np.zeros((0, 2)), 8000), "no samples"),
        ("...wav", song, "points outside the output folder"),
        ("a\nb.wav", lambda path: path.write_bytes(b"text"), "not an audio file"),
        (os.fsdecode(b"caf\xe9.wav"), lambda path: path.write_bytes(b"text"), "not an audio file"),
        ("loud.wav", lambda path: song(path, 4000, 1e30, subtype="FLOAT"), "is not finite"),
    ],
)
def test_bad_song_is_reported_by_name_and_the_others_are_separated(
    run, tmp_path, name, make, message
):
    make(tmp_path / name)
    _, errors = run(tmp_path / name, song(tmp_path / "good.wav"), "--residual", "rest")
    assert len(errors) == 1
    assert errors[0].startswith(printable(str(tmp_path / name))) and message in errors[0]
    assert {f"tiny/good/{stem}.wav" for stem in [*SOURCES, "rest"]} <= set(made(tmp_path))


REPORT = "unexpected ValueError (boom); please report it with the traceback above and the output"


def test_bug_in_a_song_prints_a_traceback_and_the_others_are_separated(run, tmp_path, monkeypatch):
    stream = Separator.stream

    def broken(self, song):
        if "bad" in song.name:
            raise ValueError("boom")
        return stream(self, song)

    monkeypatch.setattr(Separator, "stream", broken)
    bad = song(tmp_path / "bad.wav")
    status, errors = run(bad, song(tmp_path / "good.wav"))
    assert status == 1
    assert errors[0].startswith("Traceback") and "ValueError: boom" in errors
    assert errors[-1] == f"{bad}: {REPORT} of `xscheme env`"
    assert made(tmp_path) == [f"tiny/good/{stem}.wav" for stem in SOURCES]


@pytest.mark.parametrize("error", [ValueError("boom"), OSError("boom")])
def test_bug_elsewhere_prints_a_traceback_to_report(run, tmp_path, monkeypatch, error):
    def broken(*arguments, **options):
        raise error

    monkeypatch.setattr(Separator, "__init__", broken)
    status, errors = run(song(tmp_path / "a.wav"))
    assert status == 1 and errors[0].startswith("Traceback")
    assert errors[-1] == f"xscheme: {REPORT} of `xscheme env`".replace(
        "ValueError", type(error).__name__
    )


def test_missing_package_is_reported_in_one_line(run, tmp_path, monkeypatch):
    def broken(*arguments, **options):
        raise ModuleNotFoundError("No module named 'museval'", name="museval")

    monkeypatch.setattr(Separator, "__init__", broken)
    status, errors = run(song(tmp_path / "a.wav"))
    assert (status, len(errors)) == (1, 1)
    assert "No module named 'museval': pip install 'asteroid_xscheme[recipes]'" in errors[0]


def test_songs_may_have_names_of_any_bytes_and_tildes(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["~.wav", "12:30.mp3", os.fsdecode(b"caf\xe9.wav"), "a\nb.wav", "x" * 236 + ".wav"]
    for name in names:
        song(tmp_path / name)
    options = "--json", "s.json", "--filename", "{track}_{stem}.{ext}"
    assert run(*names, *options) == (0, [])
    assert len(made(tmp_path)) == 2 * len(names)
    summary = json.loads((tmp_path / "s.json").read_text())
    assert [result["input"] for result in summary["songs"]] == names


def test_inputs_are_never_overwritten(run, tmp_path):
    path = song(tmp_path / "out" / "tiny" / "song.wav")
    before = path.read_bytes()
    options = "--filename", "{stem}.wav", "--residual", "song", "--overwrite"
    status, errors = run(path, *options)
    assert (status, len(errors)) == (1, 1)
    assert f"would overwrite {path}, which this run reads" in errors[0]
    assert path.read_bytes() == before


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_inputs_are_never_overwritten_under_another_name(run, tmp_path, link):
    path = song(tmp_path / "real.wav")
    (tmp_path / "out" / "tiny").mkdir(parents=True)
    link(path, tmp_path / "out" / "tiny" / "drums.wav")
    status, errors = run(path, "--filename", "{stem}.wav", "--overwrite")
    assert status == 1 and "which this run reads" in errors[0]
    assert read_audio(tmp_path / "out" / "tiny" / "drums.wav")[0].shape == (2, 4000)


def test_summary_never_overwrites_a_song(run, tmp_path):
    path = song(tmp_path / "a.wav")
    before = path.read_bytes()
    assert run(path, "--json", path) == (
        1,
        [f"xscheme: --json {path}: this run reads that file; choose another name."],
    )
    assert path.read_bytes() == before


def test_model_in_a_parent_folder_does_not_leave_the_output_folder(
    run, model, tmp_path, monkeypatch
):
    shutil.copy(model, tmp_path / "model.pth")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert run(song(tmp_path / "a.wav"), name="..") == (0, [])
    assert made(tmp_path) == [f"{tmp_path.name}/a/{stem}.wav" for stem in SOURCES]


@pytest.mark.parametrize("option", ["--overwrite", "--skip-existing", "--float32"])
def test_folder_in_place_of_a_stem_stops_all_stems_of_the_song(run, tmp_path, option):
    (tmp_path / "out" / "tiny" / "a" / "vocals.wav").mkdir(parents=True)
    status, errors = run(song(tmp_path / "a.wav"), song(tmp_path / "b.wav"), option)
    assert (status, len(errors)) == (1, 1)
    assert "vocals.wav: it is a folder" in errors[0]
    assert made(tmp_path) == ["tiny/b/drums.wav", "tiny/b/vocals.wav"]


def test_hidden_files_of_a_killed_run_are_removed_by_the_next(model, run, tmp_path):
    path = song(tmp_path / "a.wav", 8000 * 600)
    arguments = ["separate", str(path), "-n", str(model), "-o", str(tmp_path / "out"), "-d", "cpu"]
    program = "import xscheme; raise SystemExit(xscheme.main())"
    process = subprocess.Popen([sys.executable, "-c", program, *arguments, "-q"])
    deadline = time.monotonic() + 60
    while len(made(tmp_path)) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGSTOP)  # or it might be done too soon
    try:
        song(path)
        assert run(path, "--float32")[0] == 0  # the other process lives
        assert len([name for name in made(tmp_path) if ".part" in name]) == 4
    finally:
        process.kill()
        process.wait(60)
    assert run(path, "--overwrite")[0] == 0
    assert made(tmp_path) == ["tiny/a/drums.wav", "tiny/a/vocals.wav"]


def test_summary_exists_from_the_start_and_says_why_a_run_ended(run, tmp_path, monkeypatch):
    seen = []

    def interrupted(self, stems):
        seen.append(json.loads((tmp_path / "s.json").read_text()))
        raise KeyboardInterrupt

    (tmp_path / "bad.wav").write_text("text")
    monkeypatch.setattr("asteroid_xscheme.separation.stem_files.StemFiles.write", interrupted)
    songs = tmp_path / "bad.wav", song(tmp_path / "good.wav")
    assert run(*songs, "--json", tmp_path / "s.json")[0] == 130
    assert [result["input"] for result in seen[0]["songs"]] == [str(songs[0])]
    assert json.loads((tmp_path / "s.json").read_text())["error"] == "stopped"
    assert run(*songs, "--json", tmp_path / "s.json", name="nosuch")[0] == 1
    assert "nosuch" in json.loads((tmp_path / "s.json").read_text())["error"]


def test_gain_that_prevents_clipping_is_reported(run, tmp_path):
    status, lines = run(song(tmp_path / "a.wav", 4000, 2.0, subtype="FLOAT"))
    assert (status, len(lines)) == (0, 1)
    assert "a.wav: all stems are" in lines[0] and "dB quieter" in lines[0]


def test_estimates_that_are_not_finite_leave_no_stem(run, tmp_path, monkeypatch):
    def broken(self, song):
        yield torch.full((2, 2, 10), float("nan"))

    monkeypatch.setattr("asteroid_xscheme.separation.Separator.stream", broken)
    status, errors = run(song(tmp_path / "a.wav"))
    assert (status, len(errors)) == (1, 1)
    assert "not finite" in errors[0]
    assert not (tmp_path / "out").exists()

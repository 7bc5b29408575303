"""Every command reports a mistake in one line that names the input, without a traceback."""

import shlex

import pytest
import torch

import xscheme
from asteroid_xscheme.audio import write_audio
from asteroid_xscheme.models import XUMX
from asteroid_xscheme.weights import save_package

CONTENTS = {
    "file": b"text",
    "latin.yml": b"data: {dataset: caf\xe9}",
    "open.yml": b"a: [1",
    "list.yml": b"- 1",
    "null.yml": b"a: \0",
    "open.json": b"{",
    "latin.json": b'{"a": "\xe9"}',
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with weights, a song with its sources, and files that are something else."""
    folder = tmp_path_factory.mktemp("place")
    sizes = dict(window_length=64, in_chan=64, n_hop=16, hidden_size=8, nb_layers=1)
    save_package(XUMX(["bass"], sample_rate=8000, **sizes).serialize(), folder / "tiny.pth")
    for name, content in CONTENTS.items():
        (folder / name).write_bytes(content)
    for name in ("empty", "folder.yml", "data/test/t", "estimates/t"):
        (folder / name).mkdir(parents=True)
    for name in ("data/test/t/bass", "data/test/t/mixture", "estimates/t/drums"):
        write_audio(folder / f"{name}.wav", torch.zeros(2, 9000), 8000)
    return folder


@pytest.mark.parametrize(
    "command, message",
    [
        ("models nosuch", "no published weights 'nosuch'"),
        ("convert file x.pth", "file contains no weights: it looks like text"),
        ("convert empty x.pth", "empty contains no weights"),
        ("convert tiny.pth x.bin", "x.bin: its name must end in"),
        ("convert tiny.pth file/x.pth", "file: File exists"),
        ("export file x.onnx", "file contains no weights"),
        ("publish tiny.pth", "does not describe its training data"),
        ("publish tiny.pth --dataset demo -o file", "file: File exists"),
        ("publish tiny.pth --dataset demo --scores open.json", "does not say which model"),
        ("publish tiny.pth --dataset demo --scores latin.json", "does not say which model"),
        ("publish tiny.pth --dataset demo --scores empty", "There is no empty"),
        ("report file", "There is no file/evaluation/record.json"),
        ("evaluate --data data -o out", "There is nothing to score"),
        ("evaluate --data empty -o out -n tiny.pth", "No tracks in empty/test"),
        ("evaluate --data data -o out -n file --no-baselines", "file contains no weights"),
        ("evaluate --data data -o out -n tiny.pth -d cuda:x", "no device 'cuda:x'"),
        ("evaluate --data data -o out -n tiny.pth --overlap 2 --no-baselines", "overlap"),
        ("evaluate --data data -o out -n tiny.pth --segment inf --no-baselines", "a finite length"),
        ("evaluate --data data -o out --estimates estimates --no-baselines", "estimate of bass"),
        ("evaluate --data data -o out --estimates empty --no-baselines", "empty has no estimates"),
        ("data prepare --root prepared --source_dir nosuch", "no such folder or zip"),
        ("data prepare --root prepared --source_dir file", "file is not a complete zip file"),
        ("data prepare --dataset folder --root file --source_dir data", "file is not a folder"),
        ("data prepare --root out --sample_rate 0", "--sample_rate: expected 1 Hz or more, got 0"),
        ("data verify data --sample_rate -1", "--sample_rate: expected 1 Hz or more, got -1"),
        (
            "data verify data --seq_dur nan",
            "--seq_dur: expected 0 seconds or more, finite, got nan",
        ),
        ("data verify data -j 0", "--jobs: expected 1 or more"),
        ("ablate --conf nosuch.yml", "no configuration file nosuch.yml"),
        ("ablate --conf folder.yml", "no configuration file folder.yml"),
        ("ablate --conf latin.yml", "latin.yml is not YAML: unacceptable character"),
        ("ablate --conf open.yml", "open.yml is not YAML: while parsing"),
        ("ablate --conf null.yml", "null.yml is not YAML: unacceptable character"),
        ("ablate --conf list.yml", "list.yml must have groups of options"),
    ],
)
def test_mistake_is_reported_in_one_line(place, monkeypatch, capsys, command, message):
    monkeypatch.chdir(place)
    assert xscheme.main(shlex.split(command)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("xscheme: ") and message in line

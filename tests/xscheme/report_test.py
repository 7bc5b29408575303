"""`xscheme report` from the command line."""

import json

import numpy as np
import pytest
import soundfile

from asteroid_xscheme.atomic import alone
from asteroid_xscheme.recipes.identity import file_hash
from xscheme import main


@pytest.fixture
def run(tmp_path):
    """An evaluated run of one second of a song with one source, its estimates not kept."""
    folder = tmp_path / "run"
    (folder / "evaluation").mkdir(parents=True)
    soundfile.write(folder / "evaluation" / "a.wav", np.full(8000, 0.1), 8000)
    figures = {"vocals": {"SDR": 5.0, "SIR": 6.0, "ISR": 7.0, "SAR": None}}
    system = {"figures": figures, "frames": {"a": {"vocals": [5.0]}}}
    hashes = {"a.wav": file_hash(folder / "evaluation" / "a.wav")}
    track = {"name": "a", "mixture": ["a.wav"], "references": {"vocals": ["a.wav"]}}
    track.update(estimates={}, hashes=hashes)
    record = {"name": "X-UMX", "dataset": "demo", "sources": ["vocals"], "conditions": ""}
    subset = {"title": "1 song", "tracks": [track], "systems": {"X-UMX": system}}
    record.update(information={}, made_of={}, subsets={"test": subset})
    (folder / "evaluation" / "record.json").write_text(json.dumps(record))
    return folder


def test_report_command_writes_the_page_into_the_run_and_prints_its_table(run, capsys):
    assert main(["report", str(run)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "| X-UMX | 5.00 | 5.00 |" in printed
    assert str(run / "report" / "report.html") in printed
    assert (run / "report" / "report.html").is_file()


def test_report_command_writes_to_the_requested_folder(run, tmp_path):
    assert main(["report", str(run), "--out", str(tmp_path / "page")]) == 0
    assert (tmp_path / "page" / "scores.csv").is_file()


def test_run_that_is_being_evaluated_is_not_reported(run, tmp_path, capsys):
    with alone(run):
        assert main(["report", str(run), "--out", str(tmp_path / "page")]) == 1
    assert f"Another process is using {run}: wait for it" in capsys.readouterr().err
    assert not (tmp_path / "page").exists()


def test_run_and_page_may_share_a_folder(run):
    assert main(["report", str(run), str(run), "--out", str(run)]) == 0
    assert (run / "report.html").is_file()


def test_report_command_names_what_is_missing(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 1
    assert "evaluate the run first" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "content, message",
    [
        (b"{", "is damaged"),
        (b"\xff", "is damaged"),
        (b"[]", "evaluate the run again"),
        (b'{"made_of": {}}', "evaluate the run again"),
    ],
)
def test_report_command_names_a_record_that_cannot_be_read(run, content, message, capsys):
    path = run / "evaluation" / "record.json"
    path.write_bytes(content)
    assert main(["report", str(run)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(path) in line and message in line

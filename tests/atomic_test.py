"""Files appear whole or not at all."""

import json

import pytest

from asteroid_xscheme.atomic import replacing, write_json


def test_a_file_takes_its_place_only_when_it_is_complete(tmp_path):
    path = tmp_path / "scores.json"
    path.write_text("before")
    with replacing(path) as part:
        part.write_text("after")
        assert path.read_text() == "before"
    assert path.read_text() == "after"
    assert list(tmp_path.iterdir()) == [path]


def test_after_a_failure_the_earlier_file_stays_and_nothing_else(tmp_path):
    path = tmp_path / "scores.json"
    path.write_text("before")
    with pytest.raises(OSError, match="disk full"), replacing(path) as part:
        part.write_text("half")
        raise OSError("disk full")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_json_can_be_read_again(tmp_path):
    path = tmp_path / "scores.json"
    write_json(path, {"bass": [1.5, float("nan")]})
    assert json.loads(path.read_text())["bass"][0] == 1.5
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"bass": float("nan")}, allow_nan=False)
    assert path.exists()

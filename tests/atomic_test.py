"""Files appear completely or not at all."""

import pytest

from asteroid_xscheme.atomic import read_json, replacing, write_json
from asteroid_xscheme.errors import XSchemeError


def test_file_appears_only_when_complete(tmp_path):
    path = tmp_path / "scores.json"
    path.write_text("before")
    with replacing(path) as part:
        part.write_text("after")
        assert path.read_text() == "before"
    assert path.read_text() == "after"
    assert list(tmp_path.iterdir()) == [path]


def test_failed_write_leaves_only_the_earlier_file(tmp_path):
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
    assert read_json(path)["bass"][0] == 1.5
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"bass": float("nan")}, allow_nan=False)
    assert path.exists()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff"])
def test_damaged_json_is_named(tmp_path, content):
    path = tmp_path / "scores.json"
    path.write_bytes(content)
    with pytest.raises(XSchemeError, match="scores.json is damaged"):
        read_json(path)

"""`xscheme --version` and `xscheme env`: facts for a bug report, even if packages are missing."""

import os
import sys
from pathlib import Path

import pytest

import xscheme
from asteroid_xscheme import __version__


def told(capsys):
    assert xscheme.main(["env"]) == 0
    lines = capsys.readouterr().out.splitlines()
    return {line[:21].strip(): line[21:] for line in lines if not line.startswith(" ")}, lines


def test_version_equals_the_packages(capsys):
    with pytest.raises(SystemExit) as end:
        xscheme.main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"xscheme {__version__}\n"


def test_environment_shows_versions_devices_and_cache_but_no_user_name(
    capsys, tmp_path, monkeypatch
):
    cache = tmp_path / "somebody" / "cache"
    (cache / "0123").mkdir(parents=True)
    (cache / "0123" / "model.pth").write_bytes(b"weights")
    monkeypatch.setenv("HOME", str(tmp_path / "somebody"))
    monkeypatch.setenv("ASTEROID_CACHE", str(cache))
    facts, lines = told(capsys)
    assert facts["xscheme"] == __version__
    assert facts["cache"] == os.path.join("~", "cache")
    assert lines[-1].strip() == "1 other files of weights"
    assert "somebody" not in "\n".join(lines)
    assert facts["devices"].startswith("cpu ") and "cores" in facts["threads"]
    for name in ("torch", "pytorch-lightning", "numpy", "av", "soundfile", "asteroid"):
        assert facts[name][0].isdigit()
    assert "libavcodec" in facts["ffmpeg libraries"]


def test_missing_and_broken_packages_are_reported(capsys, monkeypatch):
    monkeypatch.setattr("xscheme.env.OPTIONAL", ["no-such-package"])
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setenv("ASTEROID_CACHE", str(Path("no", "such")))
    facts, lines = told(capsys)
    assert facts["no-such-package"] == "not installed"
    assert facts["ffmpeg libraries"].startswith("unknown (ModuleNotFoundError")
    assert lines[-1].strip() == "empty"

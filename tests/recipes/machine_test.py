"""The description of where figures were measured."""

import subprocess
from pathlib import Path

import pytest

from asteroid_xscheme.recipes.machine import describe_machine, find_commit, n_cores, versions
from asteroid_xscheme.version import __version__


def test_versions_include_this_package_and_torch():
    assert versions()["asteroid_xscheme"] == __version__
    assert {"Python", "torch", "scipy"} <= set(versions())


def test_machine_is_described_with_the_cores_of_this_process():
    assert f"{n_cores()} cores" in describe_machine()


def test_commit_is_that_of_the_checkout():
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        pytest.skip("needs a checkout")
    head = ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"]
    expected = subprocess.run(head, capture_output=True, text=True, check=True).stdout.strip()
    assert find_commit().removesuffix(" with changes") == expected

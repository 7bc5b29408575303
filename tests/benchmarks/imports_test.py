"""Every benchmark can at least be imported, tells its options and is on the page."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.page import BENCHMARKS

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    path.stem
    for path in (ROOT / "benchmarks").glob("[a-z]*.py")
    if "add_arguments(parser)" in path.read_text()
)


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_benchmark_help_shows_its_options(module):
    command = [sys.executable, "-m", f"benchmarks.{module}", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert all(option in done.stdout for option in ("--json", "--repeats", "--threads"))


def test_make_bench_runs_every_benchmark():
    assert MODULES == sorted(BENCHMARKS)


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU would be measured")
def test_running_all_benchmarks_writes_the_stored_results(tmp_path):
    results, page = tmp_path / "results", tmp_path / "page.md"
    command = [sys.executable, "-m", "benchmarks", "--only", "gpu", "--threads", "1"]
    places = ["--results", str(results), "--page", str(page)]
    subprocess.run([*command, *places], cwd=ROOT, check=True)
    assert [path.name for path in results.iterdir()] == ["gpu.json"]
    assert "There was no GPU" in page.read_text()

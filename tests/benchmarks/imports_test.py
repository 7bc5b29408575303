"""Every benchmark can at least be imported and tells its options."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    path.stem for path in (ROOT / "benchmarks").glob("[a-z]*.py") if "main()" in path.read_text()
)


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_benchmark_tells_its_options(module):
    command = [sys.executable, "-m", f"benchmarks.{module}", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "--json" in done.stdout

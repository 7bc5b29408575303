"""Where a figure was made, for tables that are believed: commit, versions, machine."""

import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Dict, Optional

import torch

from ..version import __version__

_PACKAGE = Path(__file__).parents[1]


def commit() -> Optional[str]:
    """Commit of this package's checkout, "abc1234 (changed)" with changes; None outside of one."""
    if shutil.which("git") is None or _git("ls-files", "--error-unmatch", "version.py") is None:
        return None
    changed = _git("status", "--porcelain", "--", ".")
    return f"{_git('rev-parse', '--short', 'HEAD')}{' (changed)' if changed else ''}"


def software() -> Dict[str, str]:
    """Versions of what the figures depend on most."""
    names = ("torch", "pytorch-lightning", "asteroid", "numpy", "scipy")
    return {"asteroid_xscheme": __version__, **{name: version(name) for name in names}}


def machine() -> str:
    """Processor, its cores that this process may use, and GPUs."""
    parts = [f"{_processor()}, {n_cores()} cores"]
    parts += [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return "; ".join(parts)


def n_cores() -> int:
    """Cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _git(*arguments: str) -> Optional[str]:
    """Output of git in the package's folder, None where it fails."""
    done = subprocess.run(
        ["git", *arguments], cwd=_PACKAGE, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else None

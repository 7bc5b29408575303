"""Describe where figures were measured: the machine, the versions of software, and the commit."""

import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Dict, Optional

import torch

from ..version import __version__

_PACKAGES = ("torch", "pytorch-lightning", "asteroid", "numpy", "scipy")


def versions() -> Dict[str, str]:
    """Versions of Python and of the packages that affect figures most, by name."""
    packages = {name: version(name) for name in _PACKAGES}
    return {"asteroid_xscheme": __version__, "Python": platform.python_version(), **packages}


def describe_machine() -> str:
    """The system, the processor, the number of cores that this process may use, and the GPUs."""
    parts = [platform.system(), f"{_processor()}, {n_cores()} cores"]
    parts += [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return "; ".join(parts)


def n_cores() -> int:
    """Number of cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def find_commit() -> Optional[str]:
    """The commit of the package's checkout, marked if files were changed; None without one."""
    package = Path(__file__).parents[1]
    if not (package.parent / ".git").exists():
        return None
    commands = (["rev-parse", "--short=12", "HEAD"], ["status", "--porcelain", "--", "."])
    outputs = []
    for command in commands:
        done = subprocess.run(["git", "-C", str(package), *command], capture_output=True, text=True)
        if done.returncode != 0:
            return None
        outputs.append(done.stdout.strip())
    return outputs[0] + (" with changes" if outputs[1] else "")


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()

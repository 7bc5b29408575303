"""Describe where figures were measured: versions of software, and the machine."""

import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Dict

import torch

from ...version import __version__


def software() -> Dict[str, str]:
    """Versions of the packages that affect the figures most, by name."""
    names = ("torch", "pytorch-lightning", "asteroid", "numpy", "scipy")
    return {"asteroid_xscheme": __version__, **{name: version(name) for name in names}}


def machine() -> str:
    """The processor, the number of cores that this process may use, and the GPUs."""
    parts = [f"{_processor()}, {n_cores()} cores"]
    parts += [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return "; ".join(parts)


def n_cores() -> int:
    """Number of cores that this process may use."""
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

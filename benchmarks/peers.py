"""Import the peers that we compare with, in a way that works on any machine.

Packages of the extra `bench` at its pinned versions, and X-UMX from an asteroid checkout.
"""

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Callable, Sequence

import asteroid.models
import numpy as np
import scipy.signal
import torch
from asteroid.complex_nn import torch_complex_from_magphase
from torch import nn

#: distributions of the extra `bench`, which are imported under the same names
PACKAGES = ("matplotlib", "museval", "norbert", "openunmix")
INSTALL = 'python -m pip install -c constraints.txt -e ".[bench]"'


class PeerError(ImportError):
    """A peer is not installed; the message says how to install it."""


def check_installed(names: Sequence[str] = PACKAGES) -> None:
    """Check that the peers are installed before anything is measured.

    Raises:
        PeerError: If any is missing; the message names them all.
    """
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise PeerError(f"The benchmarks need {', '.join(missing)}. Install with: {INSTALL}")


def import_norbert() -> ModuleType:
    """The package norbert."""
    check_installed(["norbert"])
    return importlib.import_module("norbert")


def import_openunmix() -> SimpleNamespace:
    """openunmix's modules `filtering`, `model` and `predict`.

    It imports torchaudio, which must exactly match torch, for file formats and resampling that no
    benchmark needs. If torchaudio cannot be imported, an empty module replaces it.
    """
    check_installed(["openunmix"])
    try:
        import torchaudio  # noqa: F401
    except (ImportError, OSError):
        for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
            del sys.modules[name]
        sys.modules["torchaudio"] = ModuleType("torchaudio")
    names = ("filtering", "model", "predict")
    return SimpleNamespace(**{x: importlib.import_module(f"openunmix.{x}") for x in names})


def asteroid_xumx(checkout: Path) -> type:
    """The class XUMX from an Asteroid checkout; that of the release does not work with torch 2."""
    path = checkout / "asteroid" / "models" / "x_umx.py"
    spec = importlib.util.spec_from_file_location(f"{asteroid.models.__name__}.peer_x_umx", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.XUMX


def asteroid_separate(checkout: Path) -> Callable[..., dict]:
    """The function `separate` of the recipe's eval.py, without that file's other imports."""
    script = checkout / "egs" / "musdb18" / "X-UMX" / "eval.py"
    tree = ast.parse(script.read_text())
    tree.body = [node for node in tree.body if getattr(node, "name", "") in ("istft", "separate")]
    names = {
        "torch": torch,
        "np": np,
        "norbert": import_norbert(),
        "scipy": scipy,
        "torch_complex_from_magphase": torch_complex_from_magphase,
    }
    exec(compile(tree, str(script), "exec"), names)
    return names["separate"]


def openunmix_separator(
    openunmix: SimpleNamespace, sources: list, max_bin: int, hidden_size: int = 512
) -> nn.Module:
    """openunmix's Separator, by default of the official size, with random weights."""
    networks = {
        source: openunmix.model.OpenUnmix(nb_bins=2049, hidden_size=hidden_size, max_bin=max_bin)
        for source in sources
    }
    separator = openunmix.model.Separator(networks, niter=1, wiener_win_len=300)
    separator.freeze()
    return separator

"""The peers that the separator is compared with, imported so that they run on any machine."""

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Callable

import asteroid.models
import norbert
import numpy as np
import scipy.signal
import torch
from asteroid.complex_nn import torch_complex_from_magphase
from torch import nn


def import_openunmix() -> SimpleNamespace:
    """openunmix's modules `filtering`, `model` and `predict`.

    It imports torchaudio, which must fit torch to the letter, for file formats and resampling that
    no benchmark needs; where torchaudio does not load an empty module takes its place.
    """
    try:
        import torchaudio  # noqa: F401
    except (ImportError, OSError):
        for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
            del sys.modules[name]
        sys.modules["torchaudio"] = ModuleType("torchaudio")
    import openunmix.filtering
    import openunmix.model
    import openunmix.predict

    return SimpleNamespace(
        filtering=openunmix.filtering, model=openunmix.model, predict=openunmix.predict
    )


def asteroid_xumx(checkout: Path) -> type:
    """The class XUMX of an asteroid checkout; that of the release refuses torch 2."""
    path = checkout / "asteroid" / "models" / "x_umx.py"
    spec = importlib.util.spec_from_file_location(f"{asteroid.models.__name__}.peer_x_umx", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.XUMX


def asteroid_separate(checkout: Path) -> Callable[..., dict]:
    """The function `separate` of the recipe's eval.py, without what else that file imports."""
    script = checkout / "egs" / "musdb18" / "X-UMX" / "eval.py"
    tree = ast.parse(script.read_text())
    tree.body = [node for node in tree.body if getattr(node, "name", "") in ("istft", "separate")]
    names = {
        "torch": torch,
        "np": np,
        "norbert": norbert,
        "scipy": scipy,
        "torch_complex_from_magphase": torch_complex_from_magphase,
    }
    exec(compile(tree, str(script), "exec"), names)
    return names["separate"]


def openunmix_separator(openunmix: SimpleNamespace, sources: list, max_bin: int) -> nn.Module:
    """openunmix's Separator of the official size, with random weights."""
    networks = {
        source: openunmix.model.OpenUnmix(nb_bins=2049, hidden_size=512, max_bin=max_bin)
        for source in sources
    }
    separator = openunmix.model.Separator(networks, niter=1, wiener_win_len=300)
    separator.freeze()
    return separator

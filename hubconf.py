"""Entry points for torch.hub: `torch.hub.load("OWNER/asteroid_xscheme", "xumxl")`.

From a local checkout: `torch.hub.load("FOLDER", "xumxl", source="local")`. Each function loads
weights as `from_pretrained` does: it downloads them once and then uses the cache.
"""

from typing import Any as _Any

from asteroid_xscheme.models import XUMX as _XUMX
from asteroid_xscheme.models import BridgedModel as _BridgedModel

#: modules that torch.hub looks for before it imports this file: setup.cfg's requirements
dependencies = [
    "asteroid",
    "asteroid_filterbanks",
    "av",
    "filelock",
    "greenlet",
    "huggingface_hub",
    "numpy",
    "packaging",
    "pytorch_lightning",
    "yaml",
    "requests",
    "safetensors",
    "scipy",
    "soundfile",
    "soxr",
    "threadpoolctl",
    "torch",
    "torch_optimizer",
    "tqdm",
]


def xumx(**options: _Any) -> _XUMX:
    """Load X-UMX, trained on MUSDB18.

    Args:
        **options: Passed to `XUMX.from_pretrained`, e.g. `offline=True`.

    Returns:
        The model, on the CPU.

    Raises:
        CheckpointError: If the weights cannot be downloaded or read.
    """
    return _XUMX.from_pretrained("xumx", **options)


def xumxl(**options: _Any) -> _XUMX:
    """Load X-UMXL: X-UMX trained on a larger data set.

    Args:
        **options: Passed to `XUMX.from_pretrained`, e.g. `offline=True`.

    Returns:
        The model, on the CPU.

    Raises:
        CheckpointError: If the weights cannot be downloaded or read.
    """
    return _XUMX.from_pretrained("xumxl", **options)


def generic(weights: str, **options: _Any) -> _BridgedModel:
    """Load any bridged model.

    Args:
        weights: A published name, a Hugging Face id, a URL, or a path.
        **options: Passed to `BridgedModel.from_pretrained`, e.g. `offline=True`.

    Returns:
        The model, on the CPU.

    Raises:
        CheckpointError: If the weights cannot be downloaded or read.
    """
    return _BridgedModel.from_pretrained(weights, **options)

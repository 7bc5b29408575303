"""For torch.hub: `torch.hub.load("OWNER/asteroid_xscheme", "xumxl")`, or a folder, source="local".

Every function loads weights as `from_pretrained` does: from the cache, or fetched once.
"""

from typing import Any as _Any

from asteroid_xscheme.models import XUMX as _XUMX
from asteroid_xscheme.models import BridgedModel as _BridgedModel

#: what torch.hub looks for before it imports this file: setup.cfg's requirements, and asteroid
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
    """X-UMX, trained on MUSDB18.

    Args:
        **options: Those of `XUMX.from_pretrained`, such as `offline=True`.
    """
    return _XUMX.from_pretrained("xumx", **options)


def xumxl(**options: _Any) -> _XUMX:
    """X-UMXL: X-UMX trained on a larger data set.

    Args:
        **options: Those of `XUMX.from_pretrained`, such as `offline=True`.
    """
    return _XUMX.from_pretrained("xumxl", **options)


def generic(weights: str, **options: _Any) -> _BridgedModel:
    """Any bridged model.

    Args:
        weights: A published name, a Hugging Face id, a URL, or a path.
        **options: Those of `BridgedModel.from_pretrained`, such as `offline=True`.
    """
    return _BridgedModel.from_pretrained(weights, **options)

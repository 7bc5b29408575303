"""The models: per-source networks joined by bridges."""

from .architectures import ARCHITECTURES, find_model
from .base import BridgedModel, SpectrogramModel
from .inference import Inference, PatchGroup
from .x_conv_tasnet import XConvTasNet
from .x_d3net import XD3Net
from .x_umx import XUMX

__all__ = [
    "ARCHITECTURES",
    "BridgedModel",
    "Inference",
    "PatchGroup",
    "SpectrogramModel",
    "XConvTasNet",
    "XD3Net",
    "XUMX",
    "find_model",
]

"""The models: per-source networks joined by bridges."""

from .base import BridgedModel, SpectrogramModel
from .x_conv_tasnet import XConvTasNet
from .x_d3net import XD3Net
from .x_umx import XUMX

__all__ = ["BridgedModel", "SpectrogramModel", "XConvTasNet", "XD3Net", "XUMX"]

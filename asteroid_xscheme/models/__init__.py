"""The models: per-source networks joined by bridges."""

from .base import BridgedModel, SpectrogramModel
from .x_conv_tasnet import XConvTasNet
from .x_d3net import XD3Net
from .x_umx import XUMX

#: The architectures by the name that asteroid and the options give them.
ARCHITECTURES = {model.__name__: model for model in (XUMX, XD3Net, XConvTasNet)}

__all__ = ["ARCHITECTURES", "BridgedModel", "SpectrogramModel", "XConvTasNet", "XD3Net", "XUMX"]

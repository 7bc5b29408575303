"""Music source separation with bridged networks: X-UMX, X-D3Net and X-Conv-TasNet for Asteroid.

Importing this package makes its models and losses known to asteroid; see `registration`.
"""

from .weights import load_package, save_package
from .losses import CombinationLoss, MultiDomainLoss, combination_mse, combination_wsdr
from .models import BridgedModel, XConvTasNet, XD3Net, XUMX
from .registration import register
from .separation import Separator
from .version import __version__

__all__ = [
    "BridgedModel",
    "CombinationLoss",
    "MultiDomainLoss",
    "Separator",
    "XConvTasNet",
    "XD3Net",
    "XUMX",
    "__version__",
    "combination_mse",
    "combination_wsdr",
    "load_package",
    "save_package",
]

register()

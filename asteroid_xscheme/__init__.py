"""Music source separation with bridged networks: X-UMX, X-D3Net and X-Conv-TasNet for Asteroid.

Importing this package registers its models and losses with asteroid; see `registration`.
"""

from .weights import load_package, save_package
from .bridged_networks import BridgedNetworks
from .losses import CombinationLoss, MultiDomainLoss, combination_mse, combination_wsdr
from .models import (
    BridgedModel,
    XConvTasNet,
    XD3Net,
    XScheme,
    XSchemeOfMagnitudes,
    XUMX,
    register_network,
)
from .registration import register
from .separation import Separator
from .version import __version__

__all__ = [
    "BridgedModel",
    "BridgedNetworks",
    "CombinationLoss",
    "MultiDomainLoss",
    "Separator",
    "XConvTasNet",
    "XD3Net",
    "XScheme",
    "XSchemeOfMagnitudes",
    "XUMX",
    "__version__",
    "combination_mse",
    "combination_wsdr",
    "load_package",
    "register_network",
    "save_package",
]

register()

"""The X-scheme around any network: J unmodified modules, bridged at named submodules.

networks = BridgedNetworks([OpenUnmix() for _ in sources], ["lstm", "fc2"])
estimates = networks(magnitudes)  # a list, one output per network: X-UMX
"""

from .nested import first_tensor
from .networks import BridgedNetworks
from .points import BridgingError

__all__ = ["BridgedNetworks", "BridgingError", "first_tensor"]

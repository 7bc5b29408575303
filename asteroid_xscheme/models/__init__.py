"""The models: per-source networks joined by bridges."""

from .base import BridgedModel, SpectrogramModel
from .x_umx import XUMX

__all__ = ["BridgedModel", "SpectrogramModel", "XUMX"]

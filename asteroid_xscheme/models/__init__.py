"""The models: per-source networks joined by bridges."""

from .architectures import ARCHITECTURES, find_model
from .bridged_models import BridgedModel
from .conv_tasnet import XConvTasNet
from .folded_x_d3net import XD3Net
from .inference import Inference, PatchGroup, RoundingEffect
from .networks import import_network, register_network
from .spectrogram import SpectrogramModel
from .waveform import WaveformModel
from .x_scheme import XScheme, XSchemeOfMagnitudes
from .x_umx import XUMX

__all__ = [
    "ARCHITECTURES",
    "BridgedModel",
    "Inference",
    "PatchGroup",
    "RoundingEffect",
    "SpectrogramModel",
    "WaveformModel",
    "XConvTasNet",
    "XD3Net",
    "XScheme",
    "XSchemeOfMagnitudes",
    "XUMX",
    "find_model",
    "import_network",
    "register_network",
]

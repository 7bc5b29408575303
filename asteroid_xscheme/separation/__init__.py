"""Separate songs of any length with a model, in memory or from file to files."""

from .errors import SeparationError
from .options import check_option
from .precision import PRECISIONS
from .separator import Separator, find_device
from .songs import Song, song_of_file, song_of_waveform

__all__ = [
    "PRECISIONS",
    "SeparationError",
    "Separator",
    "Song",
    "check_option",
    "find_device",
    "song_of_file",
    "song_of_waveform",
]

"""Model -> sources of a song of any length, in memory or from file to files."""

from .separator import PRECISIONS, Separator, find_device
from .songs import SeparationError, Song, song_of_file, song_of_waveform

__all__ = [
    "PRECISIONS",
    "SeparationError",
    "Separator",
    "Song",
    "find_device",
    "song_of_file",
    "song_of_waveform",
]

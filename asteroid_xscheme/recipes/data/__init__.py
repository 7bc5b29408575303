"""Songs with isolated sources -> batches of mixtures and sources.

Goes from what a user has (a zip, stems, a folder, nothing) to prepared folders in the layout of
MUSDB18-HQ, and from those to training segments, validation chunks and the statistics of the input.
"""

from .augment import Augmentation, Augmenter
from .dataset import ChunkDataset, SegmentDataset, cut_tracks
from .errors import DataError
from .module import MusicDataModule
from .musdb import dataset_infos, validation_tracks
from .preparation import prepare
from .statistics import magnitude_statistics
from .tracks import Track, configured_tracks, find_tracks, track_contents
from .verification import verify

__all__ = [
    "Augmentation",
    "Augmenter",
    "ChunkDataset",
    "DataError",
    "MusicDataModule",
    "SegmentDataset",
    "Track",
    "configured_tracks",
    "cut_tracks",
    "dataset_infos",
    "find_tracks",
    "magnitude_statistics",
    "prepare",
    "track_contents",
    "validation_tracks",
    "verify",
]

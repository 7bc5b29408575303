"""Songs with isolated sources -> batches of mixtures and sources.

Goes from what a user has (a zip, stems, a folder, nothing) to prepared folders in the layout of
MUSDB18-HQ, and from those to training segments, validation chunks and the statistics of the input.
"""

from .augment import Augmentation, Augmenter
from .dataset import ValidationDataset, SegmentDataset, cut_tracks
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
    "DataError",
    "MusicDataModule",
    "SegmentDataset",
    "Track",
    "ValidationDataset",
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

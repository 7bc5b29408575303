"""Turn songs with isolated sources into batches of mixtures and sources.

`prepare` makes a folder with the layout of MUSDB18-HQ from a zip, stem files, a folder or nothing.
From such folders come the training segments, the validation chunks and the input statistics.
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

"""The data loaders for training and validation, for one process or several.

Which examples a process loads, and in which order, depends only on (seed, epoch) and its rank.
Batch k of N processes with batch size B holds the examples of batch k of one process with batch
size N*B.
"""

import warnings
from pathlib import Path
from typing import Any, Iterator, List, Sequence, Tuple, cast

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.distributed import DistributedSampler

from ..config import DataConfig
from .augment import Augmenter
from .dataset import Example, ValidationDataset, Key, SegmentDataset, cut_tracks
from .errors import DataError
from .loader import BatchLoader
from .musdb import validation_tracks
from .statistics import statistics_folder
from .tracks import Track, configured_tracks


class MusicDataModule(pl.LightningDataModule):
    """Training and validation data of a run; batches are (mixture (B, C, T), sources (B, J, C, T)).

    Args:
        config: The options of the data.
        batch_size: Examples per batch and process; the last batch is dropped if it is smaller.
        val_dur: Maximum length of a validation chunk in seconds; a validation batch is one chunk.
        nb_channels: Number of channels C of the model.

    Attributes:
        train_tracks: Tracks to train on, from all folders.
        valid_tracks: Tracks in train/ to validate on.

    Raises:
        DataError: If a folder is not as it should be, or no track is left to train or validate on.
    """

    def __init__(
        self, config: DataConfig, batch_size: int, val_dur: float = 80.0, nb_channels: int = 2
    ):
        super().__init__()
        self.config, self.batch_size, self.nb_channels = config, batch_size, nb_channels
        self.segment = int(config.seq_dur * config.sample_rate)
        self.longest_chunk = int(val_dur * config.sample_rate)
        self.roots = [root.expanduser() for root in config.roots]
        tracks = configured_tracks(config, "train")
        self.valid_tracks = _select_valid(tracks, config)
        kept = {(track.root, track.name) for track in self.valid_tracks}
        self.train_tracks = _drop_short(
            [track for track in tracks if (track.root, track.name) not in kept], config
        )

    @property
    def statistics_cache(self) -> Path:
        """Folder in which statistics of the training tracks are cached."""
        return statistics_folder(self.roots[0])

    def train_dataset(self) -> SegmentDataset:
        """Random segments of the training tracks."""
        config, weights = self.config, self.config.root_weights
        return SegmentDataset(
            self.train_tracks,
            config.sources,
            self.segment,
            config.samples_per_track,
            self.nb_channels,
            random_track_mix=config.random_track_mix,
            augmenter=_augmenter(config),
            seed=config.seed,
            root_weights=None if weights is None else dict(zip(self.roots, weights)),
            cache=config.cache,
        )

    def train_dataloader(self) -> BatchLoader[Example]:
        """This process's share of the examples, in a different order in every epoch."""
        dataset = self.train_dataset()
        rank, world_size = _rank_and_world_size()
        sampler = ExampleSampler(len(dataset), self.batch_size, self.config.seed, rank, world_size)
        if self.trainer is not None:  # a resumed run may load before Lightning's set_epoch
            progress: Any = (
                self.trainer.fit_loop.epoch_progress
            )  # current_epoch is not restored yet
            sampler.set_epoch(progress.current.processed)
        return BatchLoader(dataset, sampler, self.config.num_workers)

    def val_dataloader(self) -> DataLoader:
        """This process's share of the validation chunks; all shares have the same number.

        At most one process reads them, because a chunk of 80 s of four stereo sources takes 140 MB.
        """
        rank, world_size = _rank_and_world_size()
        chunks = cut_tracks(self.valid_tracks, self.longest_chunk, world_size)
        dataset = ValidationDataset(chunks, self.config.sources, self.nb_channels)
        sampler: DistributedSampler = DistributedSampler(dataset, world_size, rank, shuffle=False)
        num_workers = min(self.config.num_workers, 1)
        return DataLoader(
            dataset,
            sampler=sampler,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            pin_memory=torch.cuda.is_available(),
        )


class ExampleSampler(DistributedSampler):
    """Batches of one process, each a list of the (epoch, index) of its examples.

    Lightning passes the epoch to `set_epoch`. It is part of each item, so that a dataset needs no
    state.

    Args:
        n_examples: Examples per epoch in all processes together.
        batch_size: Examples per batch and process.
        seed: Seed of the order.
        rank, world_size: Rank of this process, and the number of processes.

    Raises:
        DataError: If the examples do not fill one batch per process.
    """

    def __init__(self, n_examples: int, batch_size: int, seed: int, rank: int, world_size: int):
        examples = cast(Dataset, range(n_examples))
        super().__init__(examples, world_size, rank, seed=seed, drop_last=True)
        self.n_examples = n_examples
        self.batch_size = batch_size
        self.n_batches = n_examples // (batch_size * world_size)
        if not self.n_batches:
            raise DataError(
                f"An epoch has {n_examples} examples, too few for one batch of {batch_size} on "
                f"each of {world_size} device(s). Raise --samples_per_track or lower --batch_size."
            )

    def __len__(self) -> int:
        return self.n_batches

    def __iter__(self) -> Iterator[List[Key]]:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.n_examples)
        used = order[: self.n_batches * self.num_replicas * self.batch_size]
        batches = used.reshape(self.n_batches, self.num_replicas, self.batch_size)
        for batch in batches[:, self.rank]:
            yield [(self.epoch, int(index)) for index in batch]


def _select_valid(tracks: Sequence[Track], config: DataConfig) -> List[Track]:
    """Find validation tracks by name; some of the official 14 may be missing, but none of yours."""
    names = validation_tracks() if config.valid_tracks is None else config.valid_tracks
    selected = [track for track in tracks if track.name in names]
    missing = sorted(set(names) - {track.name for track in selected})
    if not selected or (missing and config.valid_tracks is not None):
        examples = ", ".join(track.name for track in tracks[:3])
        raise DataError(
            f"Validation tracks not found in train/: {'; '.join(missing) or 'none are named'}. "
            f"Name existing tracks (such as {examples}) with --valid_tracks."
        )
    if missing:
        _warn(f"These official validation tracks are missing: {'; '.join(missing)}.")
    return selected


def _augmenter(config: DataConfig) -> Augmenter:
    return Augmenter(config.source_augmentations, config.gain_min, config.gain_max)


def _drop_short(tracks: Sequence[Track], config: DataConfig) -> List[Track]:
    """The tracks that are at least a segment long; warns about the others."""
    needed = _augmenter(config).samples_read(int(config.seq_dur * config.sample_rate))
    long_enough = [track for track in tracks if track.n_samples >= needed]
    short = [track.name for track in tracks if track.n_samples < needed]
    if not long_enough:
        raise DataError(
            f"No training track is left: {len(short)} are shorter than a segment of "
            f"{config.seq_dur} s (--seq_dur), and the others are for validation (--valid_tracks)."
        )
    if short:
        _warn(
            f"Not used for training, because they are shorter than a segment of {config.seq_dur} s "
            f"(lower --seq_dur to use them): {'; '.join(short)}."
        )
    return long_enough


def _warn(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=3)


def _rank_and_world_size() -> Tuple[int, int]:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1

"""Compute the mean and standard deviation of the training mixtures' magnitudes per frequency.

X-UMX normalises its input with these statistics. They are taken over all frames of the mixtures
without augmentation, after averaging the magnitudes over channels: one pass in blocks, summed in
float64, cached in a file with the record of everything that they depend on.
"""

import json
import logging
import os
import zipfile
from pathlib import Path
from typing import Iterator, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from filelock import FileLock
from tqdm import tqdm

from ...atomic import replacing
from ...dsp.stft import stft
from ..identity import as_plain, compare, digest, user_cache
from .errors import DataError
from .ownership import prepared_dataset
from .segments import FileReader, read_sources
from .tracks import Track, track_contents

_FLOOR = 1e-4  # smallest standard deviation, as a fraction of the largest
_BLOCK_FRAMES = 512  # frames of the STFT taken at a time

log = logging.getLogger(__name__)


def magnitude_statistics(
    tracks: Sequence[Track],
    *,
    n_fft: int,
    hop: int,
    window_length: Optional[int] = None,
    spec_power: float = 1.0,
    nb_channels: Optional[int] = None,
    cache: Optional[Union[str, Path]] = None,
    progress: bool = True,
) -> Tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of |mixture|^p per frequency, over all frames of all tracks.

    Args:
        tracks: The training tracks; the mixture is the sum of the sources they name.
        n_fft, hop, window_length: Size, hop and Hann window of the STFT in samples; by default the
            window has n_fft samples.
        spec_power: Exponent p.
        nb_channels: Channels of the mixture; None means those of each track, 1 a mono mixture.
        cache: Folder in which results are kept; None keeps nothing.
        progress: Whether to show a progress bar on a terminal.

    Returns:
        Mean and standard deviation, two float64 arrays (n_fft // 2 + 1,). The standard deviation is
        at least 1e-4 of its largest value, and 1 if all tracks are silent.

    Raises:
        DataError: If there are no tracks, or a file is truncated.
    """
    if not tracks:
        raise DataError(
            "There are no tracks to compute the statistics from: check train_dir and valid_tracks."
        )
    settings = {
        "n_fft": n_fft,
        "hop": hop,
        "window_length": window_length or n_fft,
        "spec_power": float(spec_power),
        "nb_channels": nb_channels,
    }
    if cache is None:
        return _compute(tracks, settings, progress)
    return _remembered(tracks, settings, Path(cache), progress)


def statistics_folder(root: Path) -> Path:
    """Where to cache the statistics of a folder: in the folder, or else in the user's cache.

    Nothing is written to a folder that this package did not prepare.
    """
    if prepared_dataset(root) is not None and os.access(root, os.W_OK):
        return root / "statistics"
    return user_cache() / "statistics"


def _remembered(
    tracks: Sequence[Track], settings: dict, cache: Path, progress: bool
) -> Tuple[np.ndarray, np.ndarray]:
    """Statistics from the cache if they are there, otherwise computed and added to it."""
    made_of = {"tracks": track_contents(tracks), "settings": settings}
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"magnitudes-{digest(made_of)[-16:]}.npz"
    with FileLock(path.with_suffix(".lock")):
        saved = _load(path, made_of)
        if saved is None:
            saved = _compute(tracks, settings, progress)
            _save(path, *saved, made_of)
    return saved


def _load(path: Path, made_of: dict) -> Optional[Tuple[np.ndarray, np.ndarray]]:
    """Statistics from a file; None if the file is missing, damaged or of another record."""
    if not path.is_file():
        return None
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as saved:
            is_same = compare(json.loads(str(saved["made_of"])), made_of).is_same
            return (saved["mean"], saved["std"]) if is_same else None
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile):
        log.warning("%s is damaged; computing the statistics again.", path)
        return None


def _save(path: Path, mean: np.ndarray, std: np.ndarray, made_of: dict) -> None:
    with replacing(path) as part, open(part, "wb") as file:
        np.savez(file, mean=mean, std=std, made_of=json.dumps(as_plain(made_of)))


def _compute(
    tracks: Sequence[Track], settings: dict, progress: bool
) -> Tuple[np.ndarray, np.ndarray]:
    moments = _Moments(settings["n_fft"] // 2 + 1)
    reader = FileReader()
    bar = tqdm(tracks, "statistics", unit="track", disable=None if progress else True)
    for track in bar:
        for magnitudes in _magnitudes(reader, track, settings):
            moments.add(magnitudes)
    reader.close()
    std = np.sqrt(moments.sum_of_squares / moments.n_frames)
    largest = std.max()
    return moments.mean, np.maximum(std, _FLOOR * largest) if largest > 0 else np.ones_like(std)


def _magnitudes(reader: FileReader, track: Track, settings: dict) -> Iterator[np.ndarray]:
    """Magnitudes (N, F) of a track's mixture in blocks, equal to one STFT of the whole track."""
    n_fft, hop = settings["n_fft"], settings["hop"]
    window = torch.hann_window(settings["window_length"])
    context = -(-n_fft // 2 // hop) + 1  # frames that depend on the padding at a block's end
    n_frames = 1 + track.n_samples // hop
    for first in range(0, n_frames, _BLOCK_FRAMES):
        last = min(first + _BLOCK_FRAMES, n_frames)
        skipped = min(first, context)
        start = (first - skipped) * hop
        stop = track.n_samples if last == n_frames else (last + context) * hop
        stop = min(stop, track.n_samples)
        mixture = read_sources(
            reader, track, list(track.source_files), start, stop - start, settings["nb_channels"]
        ).sum(0)
        spectrogram = stft(torch.from_numpy(mixture), window, n_fft, hop)
        wanted = spectrogram[..., skipped : skipped + last - first]
        magnitudes = wanted.abs() ** settings["spec_power"]
        yield magnitudes.mean(0).T.numpy()


class _Moments:
    """Mean and sum of squared deviations, merged block by block without loss of precision.

    T. F. Chan, G. H. Golub and R. J. LeVeque, "Updating formulae and a pairwise algorithm for
    computing sample variances", 1979, eq. (2.1).
    """

    def __init__(self, n_freq: int):
        self.n_frames = 0
        self.mean = np.zeros(n_freq)
        self.sum_of_squares = np.zeros(n_freq)

    def add(self, magnitudes: np.ndarray) -> None:
        """Merge frames (N, F)."""
        block = magnitudes.astype(np.float64)
        n_block, mean = len(block), block.mean(0)
        total = self.n_frames + n_block
        difference = mean - self.mean
        self.sum_of_squares += ((block - mean) ** 2).sum(0)
        self.sum_of_squares += difference**2 * self.n_frames * n_block / total
        self.mean += difference * n_block / total
        self.n_frames = total

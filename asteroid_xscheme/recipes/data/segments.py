"""Read segments of tracks as float32 waveforms, quickly.

Only the segment is read, and files stay open. 16-bit files are read as integers and converted to
float32 while they are scaled and their channels are arranged; libsndfile's conversion takes three
times as long.
"""

import os
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np
import soundfile
import torch

from ...audio import resample
from .augment import Augmentation
from .errors import DataError
from .tracks import Track

_MOST_OPEN_FILES = 128  # per process; the usual limit is 1024
_FULL_SCALE = {"int16": 1.0 / (1 << 15), "float32": 1.0}  # factor to full scale 1, by type


class FileReader:
    """Reads samples of audio files, keeping the most recently used files open.

    Safe to use in several threads, to pickle and to fork. A thread takes a file out of the pool
    while it reads, and a process never uses a file that another process opened, because readers of
    one open file share its position.

    Args:
        most_open: Number of files to keep open.
    """

    def __init__(self, most_open: int = _MOST_OPEN_FILES):
        self.most_open = most_open
        self._files: "OrderedDict[Path, soundfile.SoundFile]" = OrderedDict()
        self._lock = Lock()
        self._process = os.getpid()

    def __reduce__(self) -> Tuple[Any, ...]:
        return FileReader, (self.most_open,)

    def read(self, path: Path, start: int, n_samples: int) -> np.ndarray:
        """Samples (n_samples, C) from `start`: int16 for 16-bit files, float32 for others.

        Raises:
            DataError: If the file ends too early.
        """
        file = self._take(path)
        dtype = "int16" if file.subtype == "PCM_16" else "float32"
        file.seek(start)
        frames = file.read(n_samples, dtype=dtype, always_2d=True)
        self._put_back(path, file)
        if len(frames) < n_samples:
            raise DataError(
                f"{path} ends after {start + len(frames)} of {start + n_samples} samples. It is "
                "truncated or has changed: delete the track's folder and prepare the data again."
            )
        return frames

    def close(self) -> None:
        """Close all files."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _take(self, path: Path) -> soundfile.SoundFile:
        """An open file for this thread alone."""
        if self._process != os.getpid():
            self._lock = Lock()  # another thread of the parent may have held the old one
            self.close()  # closes the copies of this process, not the parent's files
            self._process = os.getpid()
        with self._lock:
            file = self._files.pop(path, None)
        return file or soundfile.SoundFile(str(path))

    def _put_back(self, path: Path, file: soundfile.SoundFile) -> None:
        """Keep a file as the most recently used one; another thread's copy of it is closed."""
        with self._lock:
            self._files.pop(path, file)
            self._files[path] = file
            if len(self._files) > self.most_open:
                self._files.popitem(last=False)[1].close()


class MemoryReader:
    """Reads samples of audio files, keeping whole files in memory: 16-bit files as 2-byte integers.

    Forked processes share what was loaded before the fork. A spawned process, as on Windows and
    macOS, loads the files that it needs itself.
    """

    def __init__(self):
        self._frames: Dict[Path, np.ndarray] = {}

    def __getstate__(self) -> dict:
        return {"_frames": {}}

    def load(self, tracks: Sequence[Track]) -> None:
        """Read all files of the tracks."""
        for track in tracks:
            for paths in track.source_files.values():
                for path in paths:
                    self.read(path, 0, track.n_samples)

    def read(self, path: Path, start: int, n_samples: int) -> np.ndarray:
        """Samples (n_samples, C) from `start`: int16 for 16-bit files, float32 for others."""
        if path not in self._frames:
            reader = FileReader(most_open=1)
            self._frames[path] = reader.read(path, 0, soundfile.info(str(path)).frames)
            reader.close()
        return self._frames[path][start : start + n_samples]


def read_source(
    reader: FileReader | MemoryReader,
    track: Track,
    source: str,
    start: int,
    out: np.ndarray,
    augmentation: Augmentation = Augmentation(),
) -> None:
    """Read a segment of a source into `out`.

    Args:
        reader: Reader of the files.
        track: The track; a source that it lacks is silent.
        source: Name of the source.
        start: First sample.
        out: (C, T) float32 array to overwrite. If C is 1, the channels of a file are averaged; a
            mono file is copied to every channel.
        augmentation: Gain, channel swap, and speed: `speed` * T samples of the files are played in
            the time of T.

    Raises:
        DataError: If a file ends too early, or its number of channels does not fit.
    """
    paths = track.source_files.get(source, ())
    if not paths:
        out.fill(0.0)
    n_samples = int(out.shape[1] * augmentation.speed)
    for k, path in enumerate(paths):
        frames = reader.read(path, start, n_samples)
        channels = _at_length(_match_channels(frames, len(out), path), out.shape[1])
        if augmentation.swap and len(out) == 2:
            channels = channels[::-1]
        factor = np.float32(augmentation.gain * _FULL_SCALE[frames.dtype.name])
        if k == 0:
            np.multiply(channels, factor, out=out)
        else:
            out += channels * factor


def read_sources(
    reader: FileReader | MemoryReader,
    track: Track,
    sources: Sequence[str],
    start: int,
    n_samples: int,
    n_channels: Optional[int] = None,
) -> np.ndarray:
    """Read a segment of all sources as float32 (J, C, T).

    Args:
        reader, track, start: See `read_source`.
        sources: Names of the J sources.
        n_samples: Length T of the segment.
        n_channels: Number of channels C; None means that of the track.

    Raises:
        DataError: As `read_source`.
    """
    out = np.empty((len(sources), n_channels or track.n_channels, n_samples), np.float32)
    for source, place in zip(sources, out):
        read_source(reader, track, source, start, place)
    return out


def _at_length(channels: np.ndarray, n_samples: int) -> np.ndarray:
    """Channels (C, T') played in the time of T samples, (C, T)."""
    if channels.shape[1] == n_samples:
        return channels
    played = torch.from_numpy(np.ascontiguousarray(channels, np.float32))
    return resample(played, channels.shape[1], n_samples).numpy()


def _match_channels(frames: np.ndarray, n_channels: int, path: Path) -> np.ndarray:
    """Samples (T, C') as (n_channels, T), the mean if n_channels is 1; mono files as (1, T)."""
    if frames.shape[1] in (1, n_channels):
        return frames.T
    if n_channels == 1:
        return frames.mean(1, dtype=np.float32)[None]
    raise DataError(
        f"{path} has {frames.shape[1]} channels, but the model has {n_channels}. Set "
        f"--nb_channels to {frames.shape[1]} or 1, or convert the file."
    )

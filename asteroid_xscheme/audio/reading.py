"""Read audio files with libsndfile, or with PyAV's ffmpeg libraries if libsndfile cannot.

Both remove the delay that an encoder recorded in the file, so decoded audio is aligned with the
original. The samples equal those of the ffmpeg command.
"""

import os
import stat
from pathlib import Path
from typing import Optional, Tuple, Union

import numpy as np
import soundfile
import torch

from .errors import AudioError
from .sndfile import SndfileSource, reason_of
from .source import BLOCK, AudioInfo, Encoded, Source, falls_short


class AudioReader:
    """Reads an audio file block by block; a context manager.

    Args:
        file: Path of any file that libsndfile or ffmpeg decodes, or the content of one as bytes.
        stream: Index among the file's audio streams, for files with several (in a `.stem.mp4`, 0
            is the mixture, and its stems follow). None for the first or only one.

    Attributes:
        info: According to the file's header. `n_samples` may be wrong for an MP3 or a truncated
            file, and is 0 if the header has no length; :func:`probe_audio` counts.

    Raises:
        AudioError: If the file is missing, unreadable, empty or not audio.
    """

    def __init__(self, file: Union[str, Path, bytes], stream: Optional[int] = None):
        if not isinstance(file, bytes):
            file = Path(file)
            _check_path(file)
        self.name = str(file) if isinstance(file, Path) else "the file object"
        self._source = _open(file, self.name, stream)
        self.info = self._source.info
        if min(self.info.sample_rate, self.info.n_channels) < 1:
            self.close()
            raise AudioError(
                f"{self.name}: its header says {self.info.sample_rate} Hz and "
                f"{self.info.n_channels} channels."
            )

    def read(self, n_samples: int) -> torch.Tensor:
        """Read the next samples.

        Args:
            n_samples: How many to read.

        Returns:
            (C, n_samples) float32 tensor, full scale at 1. At the end of the file there are fewer
            samples, and then none, (C, 0).

        Raises:
            AudioError: If the file is damaged here.
        """
        return torch.from_numpy(np.ascontiguousarray(self._source.read(n_samples)))

    def skip(self, n_samples: int) -> int:
        """Skip samples; return how many were skipped, which is fewer at the end of the file."""
        return self._source.skip(n_samples)

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def __enter__(self) -> "AudioReader":
        return self

    def __exit__(self, *exception) -> None:
        self.close()


def read_audio(
    path: Union[str, Path],
    start: int = 0,
    n_samples: Optional[int] = None,
    stream: Optional[int] = None,
) -> Tuple[torch.Tensor, int]:
    """Read an audio file, or a part of it, into memory.

    Args:
        path: Any file that libsndfile or ffmpeg decodes.
        start: First sample to read.
        n_samples: Samples to read, fewer at the end of the file; None for all.
        stream: Index among the file's audio streams; see :class:`AudioReader`.

    Returns:
        (C, T) float32 tensor, full scale at 1, and the sample rate in Hz.

    Raises:
        AudioError: If the file is missing, unreadable, damaged or not audio.
    """
    with AudioReader(path, stream) as reader:
        reader.skip(start)
        if n_samples is not None:
            return reader.read(n_samples), reader.info.sample_rate
        blocks = [reader.read(BLOCK)]
        while blocks[-1].shape[-1]:
            blocks.append(reader.read(BLOCK))
        return torch.cat(blocks, dim=-1), reader.info.sample_rate


def probe_audio(path: Union[str, Path], stream: Optional[int] = None) -> AudioInfo:
    """Find the rate, channels and exact length of a file, and whether its end is missing.

    The file is decoded if its header does not give a reliable length: MP3, formats that libsndfile
    does not read, and truncated files.

    Args:
        path: Any file that libsndfile or ffmpeg decodes.
        stream: Index among the file's audio streams; see :class:`AudioReader`.

    Returns:
        The format, with the exact number of samples.

    Raises:
        AudioError: If the file is missing, unreadable, damaged or not audio.
    """
    with AudioReader(path, stream) as reader:
        info = reader.info
        if reader._source.length_is_exact:
            return info
        n_samples = 0
        while n_new := reader.read(BLOCK).shape[-1]:
            n_samples += n_new
        is_cut = info.is_cut or falls_short(n_samples, info.n_samples, info.sample_rate)
        return AudioInfo(info.sample_rate, info.n_channels, n_samples, is_cut)


def _check_path(path: Path) -> None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise AudioError(f"{path}: no such file (quote paths that contain spaces).") from None
    except (OSError, ValueError) as error:  # ValueError: a null character
        reason = getattr(error, "strerror", None) or error
        raise AudioError(f"{path}: cannot be read ({reason}).") from None
    if stat.S_ISDIR(status.st_mode):
        raise AudioError(f"{path}: is a folder; expected an audio file.")
    if not stat.S_ISREG(status.st_mode):
        raise AudioError(
            f"{path}: is a pipe or a device, which can be read only once; save it to a file first."
        )
    if not os.access(path, os.R_OK):
        raise AudioError(f"{path}: no permission to read it.")
    if status.st_size == 0:
        raise AudioError(f"{path}: the file is empty (0 bytes).")


def _open(file: Encoded, name: str, stream: Optional[int]) -> Source:
    """Open a file with the first library that reads all of it; libsndfile reads one stream only."""
    reason = "not tried"
    if stream is None and not name.lower().endswith(".mp3"):
        try:
            source = SndfileSource(file, name)
            if source.is_whole():
                return source
            source.close()
            reason = "reads only a part of it"
        except (soundfile.SoundFileError, TypeError) as error:  # TypeError: headerless .raw
            reason = reason_of(error)
    return _open_with_ffmpeg(file, name, stream or 0, reason)


def _open_with_ffmpeg(file: Encoded, name: str, stream: int, reason: str) -> Source:
    """Open a file with the ffmpeg libraries, which are loaded here because that takes a while."""
    import av

    from .ffmpeg import FfmpegSource

    try:
        return FfmpegSource(file, name, stream)
    except av.error.FFmpegError as error:
        raise AudioError(
            f"{name}: not an audio file that can be decoded "
            f"(libsndfile: {reason}; ffmpeg: {error.strerror})."
        ) from None

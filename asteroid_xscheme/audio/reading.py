"""From a file to samples: libsndfile first, then the ffmpeg libraries that PyAV brings along.

Both take off the delay that an encoder noted in the file, so that decoded audio is aligned with
what was encoded, sample by sample as the ffmpeg command decodes it.
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
    """A file as a stream of samples; a context manager.

    Args:
        file: Path of any file that libsndfile or ffmpeg decodes, or the content of one, bytes.
        stream: Index among the file's audio streams, for files of several (`.stem.mp4`: 0 is the
            mixture, then its stems). None is the first or only one.

    Attributes:
        info: What the file's header says. Its `n_samples` is a promise: an MP3 or a cut file may
            hold fewer or more (0 where the header does not say). :func:`probe_audio` counts.

    Raises:
        AudioError: If the file is missing, unreadable, empty or no audio.
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
        """The next samples, (C, n_samples) float32; fewer only at the end, then (C, 0)."""
        return torch.from_numpy(np.ascontiguousarray(self._source.read(n_samples)))

    def skip(self, n_samples: int) -> int:
        """Go n_samples forward, or to the end; the number of samples skipped."""
        return self._source.skip(n_samples)

    def close(self) -> None:
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
    """Samples of a file and its rate in Hz.

    Args:
        path: Any file that libsndfile or ffmpeg decodes.
        start: First sample.
        n_samples: Number of samples from there; None for all. Past the end there is nothing.
        stream: Index among the file's audio streams; see :class:`AudioReader`.

    Returns:
        (C, T) float32 tensor, full scale is 1.0, and the sample rate.
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
    """Rate, channels and exact length of a file, and whether its end is missing.

    Where only decoding tells the length (MP3, what libsndfile does not read, what was cut) it is
    decoded.
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
    """The first library that decodes all of the file; libsndfile knows files of one stream only."""
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
    """ffmpeg's libraries take a while to load, so that nothing else loads them.

    Args:
        reason: Why libsndfile does not read the file.
    """
    import av

    from .ffmpeg import FfmpegSource

    try:
        return FfmpegSource(file, name, stream)
    except av.error.FFmpegError as error:
        raise AudioError(
            f"{name}: not an audio file that can be decoded "
            f"(libsndfile: {reason}; ffmpeg: {error.strerror})."
        ) from None

"""From a file to samples: libsndfile first, then the ffmpeg libraries that PyAV brings along.

Both take off the delay that an encoder noted in the file, so that decoded audio is aligned with
what was encoded, sample by sample as the ffmpeg command decodes it.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Optional, Tuple, Union

import av
import numpy as np
import soundfile
import torch

from .errors import AudioError

_BLOCK = 1 << 18  # samples decoded at a time where nobody needs them all at once


@dataclass(frozen=True)
class AudioInfo:
    """Rate in Hz, number of channels and number of samples per channel of a file."""

    sample_rate: int
    n_channels: int
    n_samples: int

    @property
    def seconds(self) -> float:
        return self.n_samples / self.sample_rate


class AudioReader:
    """A file as a stream of samples; a context manager.

    Args:
        path: Any file that libsndfile or ffmpeg decodes.
        stream: Index among the file's audio streams, for files of several (`.stem.mp4`: 0 is the
            mixture, then its stems). None is the first or only one.

    Attributes:
        info: What the file's header says. Its `n_samples` is a promise: an MP3 or a cut file may
            hold fewer or more (0 where the header does not say). :func:`probe_audio` counts.

    Raises:
        AudioError: If the file is missing, unreadable, empty or no audio.
    """

    def __init__(self, path: Union[str, Path], stream: Optional[int] = None):
        self.path = Path(path)
        _check_file(self.path)
        self._source = _open(self.path, stream)
        self.info = self._source.info

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
        blocks = [reader.read(_BLOCK)]
        while blocks[-1].shape[-1]:
            blocks.append(reader.read(_BLOCK))
        return torch.cat(blocks, dim=-1), reader.info.sample_rate


def probe_audio(path: Union[str, Path], stream: Optional[int] = None) -> AudioInfo:
    """Rate, channels and exact length of a file.

    Where only decoding tells the length (MP3 and what libsndfile does not read) it is decoded.
    """
    with AudioReader(path, stream) as reader:
        info = reader.info
        if reader._source.length_is_exact:
            return info
        n_samples = 0
        while n_new := reader.read(_BLOCK).shape[-1]:
            n_samples += n_new
        return AudioInfo(info.sample_rate, info.n_channels, n_samples)


class _SndfileSource:
    """What libsndfile decodes: WAV, FLAC, Ogg, AIFF and others."""

    length_is_exact = True

    def __init__(self, path: Path):
        self.file = soundfile.SoundFile(str(path))
        self.info = AudioInfo(self.file.samplerate, self.file.channels, max(0, self.file.frames))
        self.seek_is_exact = self.file.subtype != "OPUS"

    def read(self, n_samples: int) -> np.ndarray:
        return self.file.read(n_samples, dtype="float32", always_2d=True).T

    def skip(self, n_samples: int) -> int:
        if self.seek_is_exact:
            before = self.file.tell()
            return self.file.seek(min(before + n_samples, self.file.frames)) - before
        return _skip_by_reading(self, n_samples)

    def close(self) -> None:
        self.file.close()


class _FfmpegSource:
    """What the ffmpeg libraries decode: MP3, AAC, M4A, MP4 with several streams and others."""

    length_is_exact = False

    def __init__(self, path: Path, stream: int):
        self.path = path
        self.container = av.open(str(path))
        streams = self.container.streams.audio
        if stream >= len(streams):
            self.container.close()
            raise AudioError(f"{path}: has {len(streams)} audio stream(s), none of index {stream}.")
        audio = streams[stream]
        duration = float(audio.duration * audio.time_base) if audio.duration else 0.0
        self.info = AudioInfo(audio.rate, audio.channels, round(duration * audio.rate))
        self.blocks = self._decode(audio)
        self.buffer = np.zeros((self.info.n_channels, 0), np.float32)

    def read(self, n_samples: int) -> np.ndarray:
        blocks, n_ready = [self.buffer], self.buffer.shape[1]
        while n_ready < n_samples and (block := next(self.blocks, None)) is not None:
            blocks.append(block)
            n_ready += block.shape[1]
        samples = np.concatenate(blocks, axis=1)
        self.buffer = samples[:, n_samples:]
        return samples[:, :n_samples]

    def _decode(self, audio: "av.AudioStream") -> Iterator[np.ndarray]:
        """Blocks (C, T) of the stream.

        A first or last packet that does not decode was cut and is dropped, as ffmpeg does; one in
        between would shift all that follows and is an error.
        """
        to_planes = av.AudioResampler(format="fltp")
        broken, n_samples = None, 0
        for packet in self._packets(audio):
            try:
                frames = packet.decode()
            except av.error.FFmpegError as error:
                broken = error
                continue
            if frames and broken is not None and n_samples:
                seconds = n_samples / self.info.sample_rate
                raise AudioError(f"{self.path}: is damaged at {seconds:.1f} s ({broken.strerror}).")
            for frame in frames:
                for plane in to_planes.resample(frame):
                    n_samples += plane.samples
                    yield plane.to_ndarray()
        if not n_samples:
            raise AudioError(f"{self.path}: holds no audio that can be decoded.")

    def _packets(self, audio: "av.AudioStream") -> Iterator["av.Packet"]:
        try:
            yield from self.container.demux(audio)
        except av.error.FFmpegError as error:
            raise AudioError(f"{self.path}: is damaged ({error.strerror}).") from error

    def skip(self, n_samples: int) -> int:
        return _skip_by_reading(self, n_samples)

    def close(self) -> None:
        self.container.close()


def _skip_by_reading(source: Union[_SndfileSource, _FfmpegSource], n_samples: int) -> int:
    """Decode and drop: exact where a decoder's seeking is not."""
    skipped = 0
    while skipped < n_samples:
        got = source.read(min(_BLOCK, n_samples - skipped)).shape[1]
        if not got:
            break
        skipped += got
    return skipped


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise AudioError(f"{path}: is a folder, expected an audio file.")
    if not path.is_file():
        raise AudioError(f"{path}: no such file (quote paths that contain spaces).")
    if not os.access(path, os.R_OK):
        raise AudioError(f"{path}: no permission to read it.")
    if path.stat().st_size == 0:
        raise AudioError(f"{path}: the file is empty (0 bytes).")


def _open(path: Path, stream: Optional[int]) -> Union[_SndfileSource, _FfmpegSource]:
    """The first library that decodes the file.

    libsndfile knows files of one stream only, and stops an MP3 where its header says, which is
    wrong for variable bit rates: those go to ffmpeg.
    """
    reason = "not tried"
    if stream is None:
        try:
            source = _SndfileSource(path)
            if source.file.format != "MP3":
                return source
            source.close()
        except (soundfile.SoundFileError, TypeError) as error:  # TypeError: headerless .raw
            reason = str(error).rsplit(": ", 1)[-1].rstrip(".")
    try:
        return _FfmpegSource(path, stream or 0)
    except av.error.FFmpegError as error:
        raise AudioError(
            f"{path}: not an audio file that can be decoded "
            f"(libsndfile: {reason}; ffmpeg: {error.strerror})."
        ) from None

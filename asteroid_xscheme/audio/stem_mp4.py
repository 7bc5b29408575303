"""Write `.stem.mp4`, Native Instruments' format for DJ software: a song and its four stems.

The file is an MP4 with five stereo streams. The song comes first and is the only enabled stream, so
other players play it. The box `moov/udta/stem` contains names and colours of the stems as JSON. The
format allows AAC and ALAC; this module writes ALAC, which is lossless and keeps the streams aligned
to the sample.

Reference: Native Instruments, Stem File Format Specification, 2015.
"""

import json
import os
import struct
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, List, Sequence, Union

import av
import numpy as np
import torch

from ..hidden import HiddenFile
from .errors import AudioError
from .tags import Cover, Tags
from .writing import quantise

N_STEMS = 4
_COLOURS = ("#009E73", "#D55E00", "#CC79A7", "#56B4E9")
_MASTERING = {  # required by the format; nothing is enabled
    "compressor": {
        **{"enabled": False, "input_gain": 0.5, "output_gain": 0.5, "threshold": 0, "ratio": 3},
        **{"attack": 0.003, "release": 0.3, "hp_cutoff": 300, "dry_wet": 50},
    },
    "limiter": {"enabled": False, "threshold": 0, "ceiling": -0.35, "release": 0.05},
}
_FIELDS = {"bpm": "tmpo"}  # ffmpeg's name of a field if it differs from ours
_PICTURES = {"image/jpeg": 13, "image/png": 14, "image/bmp": 27}


class StemMp4Writer:
    """Writes a song and its stems block by block; `close` gives the complete file its name.

    Args:
        path: File to write.
        sample_rate: In Hz.
        n_channels: Channels of the song, 1 or 2; mono goes to both.
        names: Names of the four stems.
        tags: Tags of the song.

    Raises:
        AudioError: If the format cannot hold the song, or the file cannot be created.
    """

    def __init__(
        self, path: Path, sample_rate: int, n_channels: int, names: Sequence[str], tags: Tags
    ):
        if n_channels > 2:
            raise AudioError(f"{path}: a .stem.mp4 is stereo, the song has {n_channels} channels.")
        if len(names) != N_STEMS:
            raise AudioError(
                f"{path}: a .stem.mp4 has {N_STEMS} stems, got {len(names)} ({', '.join(names)})."
            )
        self.path, self.names, self.tags = path, list(names), tags
        self._n_samples, self._is_finished = 0, False
        try:
            self._hidden = HiddenFile(path.parent)
            self._file: BinaryIO = open(self._hidden.path, "r+b")
        except OSError as error:
            raise self._failure(error) from error
        self._container = av.open(self._file, "w", format="ipod")
        self._streams = [self._add_stream(sample_rate) for _ in range(1 + N_STEMS)]
        for name, text in tags.fields.items():
            self._container.metadata[_FIELDS.get(name, name)] = text

    def write(self, streams: torch.Tensor) -> None:
        """Append samples of the song and its stems, (1 + stem, C, T).

        Raises:
            AudioError: If they cannot be written.
        """
        streams = streams.expand(-1, 2, -1)
        for stream, waveform in zip(self._streams, streams):
            planes = np.ascontiguousarray(quantise(waveform.cpu().numpy(), "PCM_16"))
            frame = av.AudioFrame.from_ndarray(planes, format="s16p", layout="stereo")
            frame.sample_rate = stream.rate
            frame.time_base, frame.pts = Fraction(1, stream.rate), self._n_samples
            self._mux(stream.encode(frame))
        self._n_samples += streams.shape[-1]

    def finish(self) -> None:
        """Complete the hidden file, including tags, without giving it its name.

        Raises:
            AudioError: If it cannot be written.
        """
        if self._is_finished:
            return
        for stream in self._streams:
            self._mux(stream.encode(None))
        try:
            self._container.close()
            if self.tags.cover and self.tags.cover.mime in _PICTURES:
                _append(self._file, (b"moov", b"udta", b"meta", b"ilst"), _covr(self.tags.cover))
            _append(self._file, (b"moov", b"udta"), _box(b"stem", _manifest(self.names)))
            self._file.close()
        except (av.error.FFmpegError, OSError) as error:
            raise self._failure(error) from error
        self._is_finished = True

    def close(self) -> None:
        """Finish the file and give it its name.

        Raises:
            AudioError: If it cannot be written or renamed.
        """
        self.finish()
        try:
            self._hidden.name(self.path)
        except OSError as error:
            raise self._failure(error) from error

    def abort(self) -> None:
        """Discard the hidden file; an existing file with the final name stays."""
        self._file.close()
        self._hidden.remove()

    def _add_stream(self, sample_rate: int) -> "av.AudioStream":
        stream = self._container.add_stream("alac", rate=sample_rate)
        stream.layout, stream.format = "stereo", "s16p"
        return stream

    def _mux(self, packets: List["av.Packet"]) -> None:
        try:
            self._container.mux(packets)
        except (av.error.FFmpegError, OSError) as error:
            raise self._failure(error) from error

    def _failure(self, error: Union[OSError, "av.error.FFmpegError"]) -> AudioError:
        return AudioError(f"{self.path}: cannot be written ({error.strerror or error}).")


def _manifest(names: Sequence[str]) -> bytes:
    stems = [{"name": name, "color": colour} for name, colour in zip(names, _COLOURS)]
    content = {"mastering_dsp": _MASTERING, "version": 1, "stems": stems}
    return json.dumps(content).encode()


def _covr(cover: Cover) -> bytes:
    """The MP4 box of a cover picture, as iTunes stores it."""
    return _box(b"covr", _box(b"data", struct.pack(">II", _PICTURES[cover.mime], 0), cover.content))


def _box(name: bytes, *content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + sum(map(len, content)), name) + b"".join(content)


def _append(file: BinaryIO, path: Sequence[bytes], box: bytes) -> None:
    """Append a box to the box at `path`, which must be the last at every level of the file.

    Nothing moves, so the sample offsets that the file stores stay correct.
    """
    start, end = 0, file.seek(0, os.SEEK_END)
    for name in path:
        at, size = start, 0
        while start < end:
            at, size = start, _size(file, start)
            start += size
        file.seek(at + 4)
        if file.read(4) != name:
            raise AudioError(f"Expected the MP4 box {name!r} at the end of the file.")
        file.seek(at)
        file.write(struct.pack(">I", size + len(box)))
        start = at + (12 if name == b"meta" else 8)
    file.seek(0, os.SEEK_END)
    file.write(box)


def _size(file: BinaryIO, at: int) -> int:
    """Size in bytes of the box that begins at an offset."""
    file.seek(at)
    size, _, large_size = struct.unpack(">I4sQ", file.read(16).ljust(16, b"\0"))
    return large_size if size == 1 else size

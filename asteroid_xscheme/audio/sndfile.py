"""Decode files with libsndfile: WAV, FLAC, Ogg, AIFF and others."""

import io
import os
import re
from pathlib import Path
from typing import BinaryIO, Union

import numpy as np
import soundfile

from .errors import AudioError
from .source import AudioInfo, Encoded, Source, opened

_NO_SIZE = 0x7FFF0000  # programs that write to a pipe put a size at or above this
_LONGEST_HEADER = 4096  # bytes; a larger file has samples
_OGG_PAGE = 27 + 255 + 255 * 255  # bytes of the longest page
_OGG_END = 4  # flag of a stream's last page


class SndfileSource(Source):
    """A file decoded by libsndfile.

    Args:
        file: Path or content.
        name: Name for messages.

    Raises:
        soundfile.SoundFileError: If libsndfile does not recognize the format.
        TypeError: If the file is a headerless .raw.
    """

    def __init__(self, file: Encoded, name: str):
        self.name = name
        source: Union[str, bytes, BinaryIO]
        if isinstance(file, Path):
            source, self._n_bytes = path_for_libsndfile(file), file.stat().st_size
        else:
            source, self._n_bytes = opened(file), len(file)
        self.file = soundfile.SoundFile(source)
        n_promised = _n_promised(self.file)
        self.length_is_exact = n_promised == self.file.frames
        is_cut = not self.length_is_exact or (self.file.format == "OGG" and not _ends(file))
        self.info = AudioInfo(self.file.samplerate, self.file.channels, n_promised, is_cut)
        self._seek_is_exact = self.file.subtype != "OPUS"

    def is_whole(self) -> bool:
        """Whether libsndfile reads everything that can be decoded.

        It ends an MP3 at the header's length, which is wrong for variable bit rates. It trusts the
        length of 0 that a killed recorder leaves. It cannot find the end of a FLAC that was cut or
        that has no length.
        """
        if self.file.format == "MP3":
            return False
        if not self.file.frames:
            return self._n_bytes < _LONGEST_HEADER
        if self.file.format != "FLAC":
            return True
        try:
            self.file.seek(self.file.frames - 1)
            found = len(self.file.read(1))
            self.file.seek(0)
        except soundfile.SoundFileError:
            return False
        return found == 1

    def read(self, n_samples: int) -> np.ndarray:
        at = self.file.tell()
        try:
            return self.file.read(n_samples, dtype="float32", always_2d=True).T
        except soundfile.SoundFileError as error:
            raise self._damage(at, error) from error

    def skip(self, n_samples: int) -> int:
        if not self._seek_is_exact:
            return super().skip(n_samples)
        at = self.file.tell()
        try:
            return self.file.seek(min(at + n_samples, self.file.frames)) - at
        except soundfile.SoundFileError as error:
            raise self._damage(at, error) from error

    def close(self) -> None:
        self.file.close()

    def _damage(self, at: int, error: soundfile.SoundFileError) -> AudioError:
        seconds = at / self.info.sample_rate
        return AudioError(f"{self.name}: is damaged after {seconds:.1f} s ({reason_of(error)}).")


def path_for_libsndfile(path: Path) -> Union[str, bytes]:
    """Encode a path for soundfile; outside Windows, a name may be any bytes."""
    return str(path) if os.name == "nt" else os.fsencode(path)


def reason_of(error: Exception) -> str:
    """libsndfile's own reason for an error."""
    return str(error).rsplit(": ", 1)[-1].rstrip(".")


def _n_promised(file: soundfile.SoundFile) -> int:
    """Samples per channel according to the header of a WAV, AIFF, AU or W64 file.

    libsndfile counts the samples that exist, and its log says if the header claims more.
    """
    sizes = re.search(r"(?:data|SSND|Data Size|riff) *: (\d+) \(should be (\d+)\)", file.extra_info)
    promised, found = map(int, sizes.groups()) if sizes else (0, 0)
    if not 0 < found < promised < _NO_SIZE or not file.frames:
        return file.frames
    bytes_of_sample = max(1, round(found / file.frames))
    return file.frames - (found - promised) // bytes_of_sample


def _ends(file: Encoded) -> bool:
    """Whether the last page of an Ogg file is complete and marked as the last of its stream."""
    with opened(file) as binary:
        binary.seek(max(0, binary.seek(0, io.SEEK_END) - _OGG_PAGE))
        tail = binary.read()
    page = tail[max(0, tail.rfind(b"OggS")) :]
    n_segments = page[26] if len(page) > 26 else 0
    length = 27 + n_segments + sum(page[27 : 27 + n_segments])
    return len(page) >= length and bool(page[5] & _OGG_END)

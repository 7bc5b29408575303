"""Write audio files completely or not at all.

Samples go to a hidden file next to the target. It is renamed once it is complete, and removed on
any error, so a program that stops early leaves no half-written file.
"""

from contextlib import suppress
from pathlib import Path
from typing import Optional, Tuple, Union

import numpy as np
import soundfile
import torch

from ..hidden import HiddenFile
from .errors import AudioError
from .sndfile import path_for_libsndfile
from .tagging import TAGGED, write_tags
from .tags import Tags

SUBTYPES = {"PCM_16": 16, "PCM_24": 24, "FLOAT": 32}
_FORMATS = {".wav": "WAV", ".flac": "FLAC", ".mp3": "MP3", ".ogg": "OGG"}
#: (lowest sample rate in Hz, bit rates in kbit/s) of MPEG-1, MPEG-2 and MPEG-2.5
_BITRATES = (
    (32000, (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)),
    (16000, (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)),
    (0, (8, 16, 24, 32, 40, 48, 56, 64)),
)
MP3_BITRATES = tuple(sorted({rate for _, rates in _BITRATES for rate in rates}))
_WAV_LIMIT = (1 << 32) - (1 << 20)  # bytes of samples in a WAV file


class AudioWriter:
    """Writes an audio file block by block; a context manager.

    At the end of the context, the file gets its name; after an exception, it is removed.

    Args:
        path: File to write; the suffix .wav, .flac, .mp3 or .ogg decides the format.
        sample_rate: In Hz.
        n_channels: Number of channels.
        subtype: "PCM_16", "PCM_24" or "FLOAT" (WAV only); ignored for .mp3 and .ogg. PCM rounds
            to the nearest step (x * 2**15 or 2**23) and clips at full scale, so PCM that
            :class:`AudioReader` read is written back bit by bit.
        n_samples: Expected length, if known; a WAV that would exceed 4 GiB is written as RF64.
        bitrate: Constant bit rate of an .mp3 in kbit/s, one of :func:`mp3_bitrates`; None for
            libsndfile's default. Ignored for other formats.
        tags: Tags to write; not supported for .ogg.

    Raises:
        AudioError: If the file cannot be written; nothing is left behind.
    """

    def __init__(
        self,
        path: Union[str, Path],
        sample_rate: int,
        n_channels: int,
        subtype: str = "PCM_16",
        n_samples: Optional[int] = None,
        bitrate: Optional[int] = None,
        tags: Tags = Tags(),
    ):
        self.path, self.tags = Path(path), tags
        self.subtype = _subtype(self.path, subtype)
        options = _options(self.path, self.subtype, int(sample_rate), bitrate)
        if options["format"] == "WAV" and _n_bytes(n_samples, n_channels, subtype) > _WAV_LIMIT:
            options["format"] = "RF64"
        if tags and self.path.suffix.lower() not in TAGGED:
            raise AudioError(f"{self.path}: tags are written to {', '.join(TAGGED)} only.")
        if self.path.exists() and not self.path.is_file():
            kind = "folder" if self.path.is_dir() else "pipe or a device"
            raise AudioError(f"{self.path}: is a {kind}, expected a file.")
        try:
            self._hidden = HiddenFile(self.path.parent)
        except OSError as error:
            raise self._failure("cannot be written", error) from error
        self._file = self._open(int(sample_rate), n_channels, options)

    @property
    def hidden(self) -> Path:
        """Path of the hidden file, which can be read after `finish`."""
        return self._hidden.path

    def write(self, waveform: torch.Tensor) -> None:
        """Append samples (C, T).

        Raises:
            AudioError: If a sample is NaN or infinite, or the disk is full.
            ValueError: If the number of channels is wrong.
        """
        n_channels, n_samples = waveform.shape
        if n_channels != self._file.channels:
            raise ValueError(f"Expected {self._file.channels} channels, got {n_channels}.")
        if not waveform.isfinite().all():
            raise AudioError(
                f"{self.path}: cannot write a sample that is not finite (NaN or infinite)."
            )
        try:
            self._file.write(quantise(waveform.detach().cpu().numpy().T, self.subtype))
            self._file.flush()
        except (soundfile.SoundFileError, OSError, AssertionError) as error:
            raise self._failure("cannot be written; is the disk full?", error) from error

    def finish(self) -> None:
        """Complete the hidden file, including tags, without giving it its name.

        Raises:
            AudioError: If it cannot be written.
        """
        if self._file.closed:
            return
        try:
            self._file.close()
            if self.tags:
                write_tags(self.hidden, self.path.suffix.lower(), self.tags)
        except (soundfile.SoundFileError, OSError) as error:
            self._hidden.remove()
            raise self._failure("cannot be written; is the disk full?", error) from error

    def close(self) -> None:
        """Finish the file and give it its name.

        Raises:
            AudioError: If it cannot be written or renamed.
        """
        self.finish()
        try:
            self._hidden.name(self.path)
        except OSError as error:
            raise self._failure("cannot be written", error) from error

    def abort(self) -> None:
        """Discard the hidden file; an existing file with the final name stays."""
        with suppress(soundfile.SoundFileError):  # a discarded file need not be complete
            self._file.close()
        self._hidden.remove()

    def __enter__(self) -> "AudioWriter":
        return self

    def __exit__(self, kind, *exception) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _open(self, sample_rate: int, n_channels: int, options: dict) -> soundfile.SoundFile:
        path = path_for_libsndfile(self._hidden.path)
        try:
            return soundfile.SoundFile(path, "w", sample_rate, n_channels, **options)
        except soundfile.SoundFileError as error:
            self._hidden.remove()
            raise AudioError(
                f"{self.path}: {options['format']} cannot hold {n_channels} channels at "
                f"{sample_rate} Hz."
            ) from error

    def _failure(self, what: str, error: Exception) -> AudioError:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return AudioError(f"{self.path}: {what} ({reason or 'not all samples were written'}).")


def write_audio(
    path: Union[str, Path], waveform: torch.Tensor, sample_rate: int, subtype: str = "PCM_16"
) -> None:
    """Write a waveform (C, T) to a file; the arguments are those of :class:`AudioWriter`.

    Raises:
        AudioError: If the file cannot be written; nothing is left behind.
    """
    n_channels, n_samples = waveform.shape
    with AudioWriter(path, sample_rate, n_channels, subtype, n_samples) as writer:
        writer.write(waveform)


def _subtype(path: Path, subtype: str) -> Optional[str]:
    """libsndfile's subtype; None if the format has no choice."""
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        raise AudioError(f"{path}: its name must end in one of {', '.join(_FORMATS)}.")
    if subtype not in SUBTYPES:
        raise AudioError(f"{path}: expected a subtype from {list(SUBTYPES)}, got {subtype!r}.")
    if suffix == ".flac" and subtype == "FLOAT":
        raise AudioError(f"{path}: FLAC can only hold integers; choose PCM_24 or a .wav file.")
    return subtype if suffix in (".wav", ".flac") else None


def quantise(samples: np.ndarray, subtype: Optional[str]) -> np.ndarray:
    """Convert samples to the integers of a PCM subtype, clipped at full scale.

    Args:
        samples: Float array of any shape, full scale at 1.
        subtype: "PCM_16" or "PCM_24"; any other leaves float32 samples.

    Returns:
        An array of the same shape: int16, int32 with the 24 bits at the top, or float32.
    """
    if subtype not in ("PCM_16", "PCM_24"):
        return np.ascontiguousarray(samples, dtype=np.float32)
    bits = SUBTYPES[subtype]
    full_scale = 1 << (bits - 1)
    steps = np.rint(samples.astype(np.float64) * full_scale).clip(-full_scale, full_scale - 1)
    if bits == 16:
        return steps.astype(np.int16)
    return steps.astype(np.int32) << 8  # libsndfile takes 24 bits from the top of 32


def mp3_bitrates(sample_rate: int) -> Tuple[int, ...]:
    """The constant bit rates in kbit/s, in rising order, of an MP3 with this sample rate (Hz)."""
    return next(bitrates for above, bitrates in _BITRATES if sample_rate >= above)


def _options(path: Path, subtype: Optional[str], sample_rate: int, bitrate: Optional[int]) -> dict:
    """libsndfile's options for the format that a path's suffix names."""
    options = {"format": _FORMATS[path.suffix.lower()]}
    if subtype is not None:
        options["subtype"] = subtype
    if bitrate is None or options["format"] != "MP3":
        return options
    bitrates = mp3_bitrates(sample_rate)
    if bitrate not in bitrates:
        raise AudioError(
            f"{path}: an MP3 of {sample_rate} Hz cannot have {bitrate} kbit/s; it can have "
            f"{', '.join(map(str, bitrates))}."
        )
    lowest, *_, highest = bitrates
    level = (highest - bitrate) / (highest - lowest)  # libsndfile refuses 1
    return {**options, "bitrate_mode": "CONSTANT", "compression_level": min(level, 0.999)}


def _n_bytes(n_samples: Optional[int], n_channels: int, subtype: str) -> int:
    return (n_samples or 0) * n_channels * SUBTYPES[subtype] // 8

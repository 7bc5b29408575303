"""From samples to a file that is either whole or not there.

Samples go to a temporary file beside the target, which takes the target's name when all is
written and vanishes on any error, so that a stopped program leaves no half-written file.
"""

import os
from pathlib import Path
from typing import Optional, Union

import numpy as np
import soundfile
import torch

from .errors import AudioError

SUBTYPES = {"PCM_16": 16, "PCM_24": 24, "FLOAT": 32}
_FORMATS = {".wav": "WAV", ".flac": "FLAC", ".mp3": "MP3", ".ogg": "OGG"}
_WAV_LIMIT = (1 << 32) - (1 << 20)  # bytes that a WAV file can count


class AudioWriter:
    """A stream of samples into a file; a context manager.

    Leaving the context gives the file its name, leaving it by an exception removes it.

    Args:
        path: Target; its suffix .wav, .flac, .mp3 or .ogg is the format.
        sample_rate: In Hz.
        n_channels: Number of channels.
        subtype: "PCM_16", "PCM_24" or "FLOAT" (WAV only); .mp3 and .ogg ignore it. PCM rounds
            to the nearest step (x * 2**15 or 2**23) and clips at full scale, so that PCM read by
            :class:`AudioReader` is written back bit by bit.
        n_samples: Expected length if known; a WAV that would exceed 4 GiB is written as RF64.
        bitrate: Of .mp3, in kbit/s, constant; libsndfile's default if None.

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
    ):
        self.path = Path(path)
        self.subtype = _subtype(self.path, subtype)
        self._peak = 0.0
        name = f".{self.path.name}.{os.getpid()}.part"
        self._temporary = self.path.with_name(name)
        n_bytes = (n_samples or 0) * n_channels * SUBTYPES[subtype] // 8
        self._file = self._open(sample_rate, n_channels, n_bytes > _WAV_LIMIT, bitrate)

    def write(self, waveform: torch.Tensor) -> None:
        """Append samples (C, T)."""
        n_channels, n_samples = waveform.shape
        if n_channels != self._file.channels:
            raise ValueError(f"Expected {self._file.channels} channels, got {n_channels}.")
        try:
            self._file.write(_quantise(waveform.detach().cpu().numpy().T, self.subtype))
            self._file.flush()
        except (soundfile.SoundFileError, OSError, AssertionError) as error:
            raise self._failure("cannot be written, is the disk full?", error) from error

    def close(self) -> None:
        """Finish the file and give it its name."""
        self._file.close()
        try:
            os.replace(self._temporary, self.path)
        except OSError as error:
            raise self._failure("cannot be written", error) from error

    def abort(self) -> None:
        """Drop what was written; a file that had the name before stays."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> "AudioWriter":
        return self

    def __exit__(self, kind, *exception) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _open(self, sample_rate: int, n_channels: int, is_huge: bool, bitrate: Optional[int]):
        container = _FORMATS[self.path.suffix.lower()]
        options = {"format": "RF64" if is_huge and container == "WAV" else container}
        if self.subtype in SUBTYPES:
            options["subtype"] = self.subtype
        if bitrate is not None and container == "MP3":
            options.update(compression_level=_mp3_level(bitrate, sample_rate))
            options.update(bitrate_mode="CONSTANT")
        try:
            # opened here first: Python says why a path cannot be written, libsndfile does not
            with open(self._temporary, "wb"):
                pass
            return soundfile.SoundFile(
                str(self._temporary), "w", int(sample_rate), n_channels, **options
            )
        except OSError as error:
            raise self._failure("cannot be written", error) from error
        except soundfile.SoundFileError as error:
            self._temporary.unlink(missing_ok=True)
            raise AudioError(
                f"{self.path}: {container} cannot hold {n_channels} channels at {sample_rate} Hz."
            ) from error

    def _failure(self, what: str, error: Exception) -> AudioError:
        self._temporary.unlink(missing_ok=True)
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return AudioError(f"{self.path}: {what} ({reason or 'not all samples were written'}).")


def write_audio(
    path: Union[str, Path], waveform: torch.Tensor, sample_rate: int, subtype: str = "PCM_16"
) -> None:
    """Write a waveform (C, T) to a file at once; see :class:`AudioWriter`."""
    n_channels, n_samples = waveform.shape
    with AudioWriter(path, sample_rate, n_channels, subtype, n_samples) as writer:
        writer.write(waveform)


def _subtype(path: Path, subtype: str) -> Optional[str]:
    """The subtype as libsndfile takes it, None where the format has only its own."""
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        raise AudioError(f"{path}: expected one of the endings {', '.join(_FORMATS)}.")
    if subtype not in SUBTYPES:
        raise AudioError(f"{path}: expected a subtype of {list(SUBTYPES)}, got {subtype!r}.")
    if suffix == ".flac" and subtype == "FLOAT":
        raise AudioError(f"{path}: FLAC holds integers only; choose PCM_24 or a .wav file.")
    return subtype if suffix in (".wav", ".flac") else None


def _quantise(frames: np.ndarray, subtype: Optional[str]) -> np.ndarray:
    """Samples as the integers of a PCM subtype, clipped at full scale; others unchanged."""
    if subtype not in ("PCM_16", "PCM_24"):
        return np.ascontiguousarray(frames, dtype=np.float32)
    bits = SUBTYPES[subtype]
    full_scale = 1 << (bits - 1)
    steps = np.rint(frames.astype(np.float64) * full_scale).clip(-full_scale, full_scale - 1)
    if bits == 16:
        return steps.astype(np.int16)
    return steps.astype(np.int32) << 8  # libsndfile takes 24 bits from the top of 32


def _mp3_level(bitrate: int, sample_rate: int) -> float:
    """libsndfile's compression level (0 best .. 1 smallest) of a constant MP3 bit rate."""
    highest, lowest = (320, 32) if sample_rate >= 32000 else (160, 8)
    return min(1.0, max(0.0, (highest - bitrate) / (highest - lowest)))

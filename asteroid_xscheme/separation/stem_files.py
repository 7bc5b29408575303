"""The files of a song's stems: all whole and at one gain, or none.

All take their names when all are whole, and one gain serves them all, so that they add up as the
sources do.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence

import torch

from ..audio import AudioReader, AudioWriter, mp3_bitrates
from .errors import SeparationError
from .songs import Song

CLIP_MODES = ("rescale", "clamp", "none")
_FULL_SCALE = 1 - 2.0**-15


@dataclass(frozen=True)
class StemFormat:
    """How stems are written.

    Attributes:
        suffix: ".wav", ".flac" or ".mp3".
        subtype: "PCM_16", "PCM_24" or "FLOAT".
        bitrate: Of .mp3, kbit/s; None for the highest that the song's rate allows.
        clip_mode: "rescale" scales all stems of a song down by one gain if one of them exceeds
            full scale, "clamp" cuts their peaks, "none" leaves that to the format (integers cut).
    """

    suffix: str = ".wav"
    subtype: str = "PCM_16"
    bitrate: Optional[int] = None
    clip_mode: str = "rescale"

    @property
    def must_wait(self) -> bool:
        """Whether the gain is only known at the end."""
        return self.clip_mode == "rescale" and self.subtype != "FLOAT"


class StemFiles:
    """Files of all stems of a song; a context manager that leaves all of them or none.

    Where a common gain may be needed the stems wait in hidden float files beside their targets.

    Attributes:
        gain: What the stems were multiplied with, once the context is left.

    Raises:
        SeparationError, AudioError: If a path or the format cannot hold a stem; before any work.
    """

    def __init__(self, paths: Sequence[Path], song: Song, form: StemFormat):
        if form.clip_mode not in CLIP_MODES:
            raise SeparationError(f"Expected a clip mode of {CLIP_MODES}, got {form.clip_mode!r}.")
        self.paths, self.song, self.form = list(paths), song, form
        self.gain, self._peak = 1.0, 0.0
        self._made: List[Path] = []
        self._writers: List[AudioWriter] = []
        self._waiting: List[AudioWriter] = []

    def __enter__(self) -> "StemFiles":
        try:
            self._open_all()
        except BaseException:
            self._drop()
            raise
        return self

    def _open_all(self) -> None:
        for path in self.paths:
            self._made += _make_folder(path.parent)
            self._writers.append(self._open(path))
        if self.form.must_wait:
            self._waiting = [self._open_spool(path) for path in self.paths]

    def _open(self, path: Path) -> AudioWriter:
        bitrate = self.form.bitrate
        if bitrate is None and path.suffix.lower() == ".mp3":
            bitrate = mp3_bitrates(self.song.sample_rate)[-1]
        shape = self.song.sample_rate, self.song.n_channels
        return AudioWriter(path, *shape, self.form.subtype, self.song.n_samples, bitrate)

    def _open_spool(self, path: Path) -> AudioWriter:
        """A file beside `path` that is read again before anything has its name."""
        shape = self.song.sample_rate, self.song.n_channels
        return AudioWriter(path.parent / "waiting.wav", *shape, "FLOAT", self.song.n_samples)

    def write(self, stems: torch.Tensor) -> None:
        """Append (stem, C, T)."""
        if self.form.clip_mode == "clamp":
            stems = stems.clamp(-1, 1)
        self._peak = max(self._peak, float(stems.abs().amax()) if stems.numel() else 0.0)
        for writer, stem in zip(self._waiting or self._writers, stems):
            writer.write(stem)

    def __exit__(self, kind, *exception) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._drop()

    def _finish(self) -> None:
        """All stems written, whole and then named."""
        if self._waiting:
            self.gain = min(1.0, _FULL_SCALE / self._peak) if self._peak else 1.0
        for writer, spool in zip(self._writers, list(self._waiting)):
            spool.finish()
            with AudioReader(spool.hidden) as reader:
                while (block := reader.read(1 << 18)).shape[-1]:
                    writer.write(self.gain * block)
            spool.abort()
        for writer in self._writers:
            writer.finish()
        while self._writers:
            self._writers.pop(0).close()
        self._made.clear()

    def _drop(self) -> None:
        """Remove whatever did not get its name, and the folders made for it."""
        for writer in [*self._writers, *self._waiting]:
            writer.abort()
        for folder in reversed(self._made):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def _make_folder(folder: Path) -> List[Path]:
    """Make a folder and its parents; those that were not there."""
    missing = [path for path in [folder, *folder.parents] if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing[::-1]

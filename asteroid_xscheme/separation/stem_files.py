"""Write the files of all stems of a song, or none, with one common gain.

Files get their names once all of them are complete. With a common gain, the stems still add up to
the song.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, List, Optional, Sequence, Tuple, Union

import torch

from ..audio import AudioReader, AudioWriter, Tags, mp3_bitrates
from .errors import SeparationError
from .songs import Song

if TYPE_CHECKING:
    from ..audio.stem_mp4 import StemMp4Writer

    _Writer = Union[AudioWriter, StemMp4Writer]

CLIP_MODES = ("rescale", "clamp", "none")
_FULL_SCALE = 1 - 2.0**-15
_BLOCK = 1 << 18  # samples read back at a time
_FOLDERS = Lock()  # a song's thread may remove a folder that another song's thread wants to use


@dataclass(frozen=True)
class StemFormat:
    """The file format of stems.

    Attributes:
        suffix: ".wav", ".flac", ".mp3", or ".stem.mp4" for one file with the song and all stems.
        subtype: "PCM_16", "PCM_24" or "FLOAT".
        bitrate: Bit rate of .mp3 in kbit/s; None for the highest that the song's rate allows.
        clip_mode: If a stem exceeds full scale, "rescale" scales all stems of the song down by one
            gain, "clamp" clips the peaks, and "none" leaves them to the format (integers clip).
        names: Names of the stems in a .stem.mp4, without the song, which comes first.
    """

    suffix: str = ".wav"
    subtype: str = "PCM_16"
    bitrate: Optional[int] = None
    clip_mode: str = "rescale"
    names: Tuple[str, ...] = ()

    @property
    def must_wait(self) -> bool:
        """Whether the gain depends on the whole song, so that nothing can be written before."""
        return self.clip_mode == "rescale" and self.subtype != "FLOAT"


class StemFiles:
    """Files of all stems of a song; a context manager that writes all of them or none.

    If a common gain may be needed, stems are first written to hidden float files next to their
    targets.

    Args:
        paths: One path per stem; a single path for .stem.mp4.
        song: The song that is separated.
        form: The file format.
        tags: Tags for each path; empty for no tags.

    Attributes:
        gain: The common gain of the stems, valid once the context has ended.

    Raises:
        SeparationError: If the clip mode is unknown.
        AudioError: On entry, if a file cannot be created or the format cannot hold a stem; later,
            if writing fails.
    """

    def __init__(
        self, paths: Sequence[Path], song: Song, form: StemFormat, tags: Sequence[Tags] = ()
    ):
        if form.clip_mode not in CLIP_MODES:
            raise SeparationError(
                f"Expected a clip mode from {CLIP_MODES}, got {form.clip_mode!r}."
            )
        self.paths, self.song, self.form = list(paths), song, form
        self.tags = list(tags) or [Tags()] * len(self.paths)
        self.gain, self._peak = 1.0, 0.0
        self._made: List[Path] = []
        self._writers: "List[_Writer]" = []
        self._waiting: List[AudioWriter] = []

    def __enter__(self) -> "StemFiles":
        try:
            self._open_all()
        except BaseException:
            self._drop()
            raise
        return self

    def _open_all(self) -> None:
        for path, tags in zip(self.paths, self.tags):
            with _FOLDERS:
                self._made += _make_folder(path.parent)
                self._writers.append(self._open(path, tags))
        if self.form.must_wait:
            paths = [self.paths[0]] * (1 + len(self.form.names)) if self.form.names else self.paths
            self._waiting = [self._open_spool(path) for path in paths]

    def _open(self, path: Path, tags: Tags) -> "_Writer":
        shape = self.song.sample_rate, self.song.n_channels
        if self.form.names:
            return _stem_mp4(path, *shape, self.form.names, tags)
        bitrate = self.form.bitrate
        if bitrate is None and path.suffix.lower() == ".mp3":
            bitrate = mp3_bitrates(self.song.sample_rate)[-1]
        return AudioWriter(path, *shape, self.form.subtype, self.song.n_samples, bitrate, tags)

    def _open_spool(self, path: Path) -> AudioWriter:
        """Open a hidden float file next to `path`, to be read back later."""
        shape = self.song.sample_rate, self.song.n_channels
        return AudioWriter(path.parent / "waiting.wav", *shape, "FLOAT", self.song.n_samples)

    def write(self, stems: torch.Tensor) -> None:
        """Append samples of all stems, (stem, C, T).

        Raises:
            AudioError: If they cannot be written.
        """
        if self.form.clip_mode == "clamp":
            stems = stems.clamp(-1, 1)
        self._peak = max(self._peak, float(stems.abs().amax()) if stems.numel() else 0.0)
        if not self._waiting:
            self._put(stems)
        for spool, stem in zip(self._waiting, stems):
            spool.write(stem)

    def _put(self, stems: torch.Tensor) -> None:
        """Append samples (stem, C, T) to the final files."""
        if self.form.names:
            self._writers[0].write(stems)
            return
        for writer, stem in zip(self._writers, stems):
            writer.write(stem)

    def __exit__(self, kind, *exception) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._drop()

    def _finish(self) -> None:
        """Complete all files, then give all of them their names."""
        if self._waiting:
            self.gain = min(1.0, _FULL_SCALE / self._peak) if self._peak else 1.0
            self._empty_spools()
        for writer in self._writers:
            writer.finish()
        while self._writers:
            self._writers.pop(0).close()
        self._made.clear()

    def _empty_spools(self) -> None:
        """Copy the hidden float files to the final ones, with the common gain."""
        with ExitStack() as stack:
            readers = []
            for spool in self._waiting:
                spool.finish()
                readers.append(stack.enter_context(AudioReader(spool.hidden)))
            while (blocks := torch.stack([reader.read(_BLOCK) for reader in readers])).numel():
                self._put(self.gain * blocks)
        for spool in self._waiting:
            spool.abort()

    def _drop(self) -> None:
        """Remove files that did not get their names, and folders created for them."""
        for writer in [*self._writers, *self._waiting]:
            writer.abort()
        with _FOLDERS:
            for folder in reversed(self._made):
                if folder.is_dir() and not any(folder.iterdir()):
                    folder.rmdir()


def _stem_mp4(
    path: Path, sample_rate: int, n_channels: int, names: Sequence[str], tags: Tags
) -> "StemMp4Writer":
    from ..audio.stem_mp4 import StemMp4Writer  # loads the ffmpeg libraries

    return StemMp4Writer(path, sample_rate, n_channels, names, tags)


def _make_folder(folder: Path) -> List[Path]:
    """Create a folder and its parents; return those that were missing."""
    missing = [path for path in [folder, *folder.parents] if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing[::-1]

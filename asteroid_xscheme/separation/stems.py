"""Which stems a song gives, and the files they go to.

A stem is a weighted sum of the sources and the mixture. All stems of a song take their names when
all are whole, and one gain serves them all, so that they add up as the sources do.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

import torch

from ..audio import AudioReader, AudioWriter
from .songs import SeparationError, Song

CLIP_MODES = ("rescale", "clamp", "none")
_FULL_SCALE = 1 - 2.0**-15


@dataclass(frozen=True)
class Stem:
    """Name of a stem, its weight of each source, and its weight of the mixture."""

    name: str
    weights: Tuple[float, ...]
    of_mixture: float = 0.0


def choose_stems(
    sources: Sequence[str],
    targets: Optional[Sequence[str]] = None,
    two_stems: Optional[str] = None,
    residual: Optional[str] = None,
) -> List[Stem]:
    """The stems that a user asks for.

    Args:
        sources: All sources of the model.
        targets: Only these; None for all.
        two_stems: This source and `no_SOURCE`, the sum of the others, instead.
        residual: Name of one more stem, the mixture minus all others.

    Raises:
        SeparationError: If a source is not there or two stems have one name.

    >>> [stem.name for stem in choose_stems(["drums", "vocals"], two_stems="vocals")]
    ['vocals', 'no_vocals']
    """
    if targets and two_stems:
        raise SeparationError("Choose targets or two stems, not both.")
    asked = list(targets or []) + ([two_stems] if two_stems else [])
    unknown = [name for name in asked if name not in sources]
    if unknown:
        raise SeparationError(f"The model has no source {unknown}; it has {list(sources)}.")
    single = {name: tuple(float(name == source) for source in sources) for name in sources}
    chosen = asked or list(sources)
    stems = [Stem(name, single[name]) for name in chosen]
    if two_stems:
        others = tuple(1 - weight for weight in single[two_stems])
        stems.append(Stem(f"no_{two_stems}", others))
    if residual:
        total = tuple(-sum(column) for column in zip(*(stem.weights for stem in stems)))
        stems.append(Stem(residual, total, of_mixture=1.0))
    names = [stem.name for stem in stems]
    if len(set(names)) < len(names):
        raise SeparationError(f"Two stems would have one name: {names}.")
    return stems


def mix_stems(
    blocks: Iterator[torch.Tensor], stems: Sequence[Stem], song: Song
) -> Iterator[torch.Tensor]:
    """Blocks (J, C, T) of all sources -> (stem, C, T)."""
    weights = torch.tensor([stem.weights for stem in stems])
    of_mixture = torch.tensor([stem.of_mixture for stem in stems])
    mixture = _Reader(song.open()) if of_mixture.any() else None
    for block in blocks:
        mixed = torch.einsum("sj,jct->sct", weights, block)
        if mixture is not None:
            mixed += of_mixture[:, None, None] * mixture.read(block.shape[-1])
        yield mixed


class _Reader:
    """Any number of samples at a time of a stream of blocks."""

    def __init__(self, blocks: Iterator[torch.Tensor]):
        self.blocks = blocks
        self.held = next(blocks)

    def read(self, n_samples: int) -> torch.Tensor:
        while self.held.shape[-1] < n_samples:
            self.held = torch.cat([self.held, next(self.blocks)], -1)
        read, self.held = self.held[:, :n_samples], self.held[:, n_samples:]
        return read


@dataclass(frozen=True)
class StemFormat:
    """How stems are written.

    Attributes:
        suffix: ".wav", ".flac" or ".mp3".
        subtype: "PCM_16", "PCM_24" or "FLOAT".
        bitrate: Of .mp3, kbit/s.
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
    """

    def __init__(self, paths: Sequence[Path], song: Song, form: StemFormat):
        if form.clip_mode not in CLIP_MODES:
            raise SeparationError(f"Expected a clip mode of {CLIP_MODES}, got {form.clip_mode!r}.")
        self.paths, self.song, self.form = list(paths), song, form
        self.gain, self._peak = 1.0, 0.0
        self._made = [folder for path in self.paths for folder in _make_folder(path.parent)]
        self._writers: List[AudioWriter] = []
        self._spools: List[Path] = []

    def __enter__(self) -> "StemFiles":
        targets = self.paths
        if self.form.must_wait:
            self._refuse_early()
            targets = [path.with_name(f".{path.name}.{os.getpid()}.wav") for path in targets]
            self._spools = targets
        try:
            for target in targets:
                self._writers.append(self._open(target, is_spool=self.form.must_wait))
        except BaseException:
            self._drop()
            raise
        return self

    def _refuse_early(self) -> None:
        """Raise now, not after the work, if the format cannot hold the song."""
        try:
            self._open(self.paths[0], is_spool=False).abort()
        except BaseException:
            self._drop()
            raise

    def write(self, stems: torch.Tensor) -> None:
        """Append (stem, C, T)."""
        if self.form.clip_mode == "clamp":
            stems = stems.clamp(-1, 1)
        self._peak = max(self._peak, float(stems.abs().amax()) if stems.numel() else 0.0)
        for writer, stem in zip(self._writers, stems):
            writer.write(stem)

    def __exit__(self, kind, *exception) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._drop()

    def _finish(self) -> None:
        if not self.form.must_wait:
            while self._writers:
                self._writers.pop().close()
        else:
            self.gain = min(1.0, _FULL_SCALE / self._peak) if self._peak else 1.0
            while self._writers:
                self._writers.pop().close()
            for spool, path in zip(self._spools, self.paths):
                self._writers.append(self._copy(spool, path))
            while self._writers:
                self._writers.pop().close()
        self._made.clear()

    def _copy(self, spool: Path, path: Path) -> AudioWriter:
        """A finished, still nameless file of a waiting stem."""
        writer = self._open(path, is_spool=False)
        try:
            with AudioReader(spool) as reader:
                while (block := reader.read(1 << 18)).shape[-1]:
                    writer.write(self.gain * block)
        except BaseException:
            writer.abort()
            raise
        spool.unlink()
        return writer

    def _open(self, path: Path, is_spool: bool) -> AudioWriter:
        return AudioWriter(
            path,
            self.song.sample_rate,
            self.song.n_channels,
            "FLOAT" if is_spool else self.form.subtype,
            n_samples=self.song.n_samples,
            bitrate=self.form.bitrate,
        )

    def _drop(self) -> None:
        """Remove whatever did not get its name, and the folders made for it."""
        for writer in self._writers:
            writer.abort()
        for spool in self._spools:
            spool.unlink(missing_ok=True)
        for folder in reversed(self._made):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def _make_folder(folder: Path) -> List[Path]:
    """Make a folder and its parents; those that were not there."""
    missing = [path for path in [folder, *folder.parents] if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing[::-1]


def stem_paths(
    pattern: str, folder: Path, track: str, suffix_of_track: str, stems: Sequence[Stem], ext: str
) -> Dict[str, Path]:
    """File of each stem: `pattern` with {track}, {trackext}, {stem}, {ext}, below a folder.

    Raises:
        SeparationError: If the pattern has other fields, leads outside the folder, or gives two
            stems one file.
    """
    paths = {}
    for stem in stems:
        fields = dict(track=track, trackext=suffix_of_track, stem=stem.name, ext=ext)
        try:
            relative = Path(pattern.format(**fields))
        except (KeyError, IndexError, ValueError) as error:
            raise SeparationError(
                f"Cannot use the filename {pattern!r} ({error}); its fields are {list(fields)}."
            ) from None
        if relative.is_absolute() or ".." in relative.parts:
            raise SeparationError(f"The filename {pattern!r} leads outside the output folder.")
        paths[stem.name] = folder / relative
    if len(set(paths.values())) < len(paths):
        raise SeparationError(f"The filename {pattern!r} needs {{stem}}: stems share a file.")
    return paths

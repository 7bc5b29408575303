"""Choose the stems to write for a song, and the names of their files.

A stem is a weighted sum of the sources and the mixture.
"""

from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

import torch

from .errors import SeparationError
from .songs import Song

_DJ_ORDER = ("drums", "bass", "other", "vocals")
_FIELDS = ("track", "trackext", "stem", "ext")


@dataclass(frozen=True)
class Stem:
    """A weighted sum of the sources and the mixture.

    Attributes:
        name: Name of the stem.
        weights: Weight of each source.
        of_mixture: Weight of the mixture.
    """

    name: str
    weights: Tuple[float, ...]
    of_mixture: float = 0.0


def choose_stems(
    sources: Sequence[str],
    targets: Optional[Sequence[str]] = None,
    two_stems: Optional[str] = None,
    residual: Optional[str] = None,
) -> List[Stem]:
    """Choose the stems to write.

    Args:
        sources: All sources of the model.
        targets: Sources to write; None for all.
        two_stems: Write only this source and `no_SOURCE`, the sum of the others.
        residual: Name of an additional stem, the mixture minus all other stems.

    Returns:
        The stems, in the order of `targets` or the model.

    Raises:
        SeparationError: If a source is unknown, two stems have the same name, or the residual's
            name does not work as a file name.

    >>> [stem.name for stem in choose_stems(["drums", "vocals"], two_stems="vocals")]
    ['vocals', 'no_vocals']
    """
    if targets and two_stems:
        raise SeparationError("Choose either targets or two stems, not both.")
    asked = list(targets or []) + ([two_stems] if two_stems else [])
    unknown = [name for name in asked if name not in sources]
    if unknown:
        raise SeparationError(
            f"The model has no source {', '.join(unknown)}; it has {', '.join(sources)}."
        )
    single = {name: tuple(float(name == source) for source in sources) for name in sources}
    chosen = asked or list(sources)
    stems = [Stem(name, single[name]) for name in chosen]
    if two_stems:
        others = tuple(1 - weight for weight in single[two_stems])
        stems.append(Stem(f"no_{two_stems}", others))
    if residual is not None:
        if residual in ("", ".", "..") or set(residual) & set("/\\\0"):
            raise SeparationError(
                f"Expected a residual name that works as a file name, got {residual!r}."
            )
        total = tuple(-sum(column) for column in zip(*(stem.weights for stem in stems)))
        stems.append(Stem(residual, total, of_mixture=1.0))
    names = [stem.name for stem in stems]
    if len(set(names)) < len(names):
        raise SeparationError(f"Two stems would have the same name: {names}.")
    return stems


def choose_stem_mp4(sources: Sequence[str]) -> List[Stem]:
    """Choose the streams of a `.stem.mp4`: the song, then four sources in DJ software's order.

    Raises:
        SeparationError: If the model does not have four sources.

    >>> [stem.name for stem in choose_stem_mp4(["bass", "drums", "other", "vocals"])]
    ['mixture', 'drums', 'bass', 'other', 'vocals']
    """
    if len(sources) != len(_DJ_ORDER):
        raise SeparationError(
            f"--stem: a .stem.mp4 needs a model with {len(_DJ_ORDER)} sources, got {len(sources)} "
            f"({', '.join(sources)})."
        )
    is_usual = set(sources) == set(_DJ_ORDER)
    stems = choose_stems(sources, targets=_DJ_ORDER if is_usual else None)
    return [Stem("mixture", (0.0,) * len(sources), of_mixture=1.0), *stems]


def mix_stems(
    blocks: Iterator[torch.Tensor], stems: Sequence[Stem], song: Song
) -> Iterator[torch.Tensor]:
    """Mix blocks of all sources (J, C, T) to blocks of stems (stem, C, T).

    Args:
        blocks: Separated sources of a song.
        stems: The S stems.
        song: The song, which is read again if a stem contains the mixture.

    Yields:
        (S, C, T) blocks.
    """
    weights = torch.tensor([stem.weights for stem in stems], device="cpu")
    of_mixture = torch.tensor([stem.of_mixture for stem in stems], device="cpu")
    mixture = _Reader(song.open()) if of_mixture.any() else None
    for block in blocks:
        mixed = torch.einsum("sj,jct->sct", weights, block)
        if mixture is not None:
            mixed += of_mixture[:, None, None] * mixture.read(block.shape[-1])
        yield mixed


class _Reader:
    """Reads any number of samples at a time from a stream of blocks."""

    def __init__(self, blocks: Iterator[torch.Tensor]):
        self.blocks = blocks
        self.held: Optional[torch.Tensor] = None

    def read(self, n_samples: int) -> torch.Tensor:
        while self.held is None or self.held.shape[-1] < n_samples:
            block = next(self.blocks)
            self.held = block if self.held is None else torch.cat([self.held, block], -1)
        read, self.held = self.held[:, :n_samples], self.held[:, n_samples:]
        return read


def check_pattern(pattern: str) -> None:
    """Check a pattern of file names.

    Raises:
        SeparationError: If it has a field other than {track}, {trackext}, {stem} and {ext}, or
            cannot be a file name.
    """
    try:
        parts = list(Formatter().parse(pattern))
    except ValueError as error:
        raise SeparationError(f"Cannot use the filename {pattern!r}: {error}.") from None
    for _, field, spec, conversion in parts:
        if field is not None and (field not in _FIELDS or spec or conversion):
            known = ", ".join(f"{{{name}}}" for name in _FIELDS)
            raise SeparationError(
                f"Cannot use the filename {pattern!r}: expected only the fields {known}, got "
                f"{field!r}."
            )
    if "\0" in pattern:
        raise SeparationError(f"Cannot use the filename {pattern!r}: it has a null character.")


def stem_paths(
    pattern: str, folder: Path, track: str, suffix_of_track: str, stems: Sequence[Stem], ext: str
) -> Dict[str, Path]:
    """Name the file of each stem.

    Args:
        pattern: Path relative to the folder, with {track}, {trackext}, {stem} and {ext}.
        folder: Output folder.
        track: Value of {track}, the song's name.
        suffix_of_track: Value of {trackext}.
        stems: Stems to write; their names are the values of {stem}.
        ext: Value of {ext}.

    Returns:
        Path by name of the stem.

    Raises:
        SeparationError: If the pattern is invalid, leads outside the folder, or gives two stems the
            same file.
    """
    paths = {
        stem.name: _path(pattern, folder, track, suffix_of_track, stem.name, ext) for stem in stems
    }
    if len(set(paths.values())) < len(paths):
        raise SeparationError(
            f"The filename {pattern!r} gives several stems the same file: add {{stem}}."
        )
    return paths


def stem_path(pattern: str, folder: Path, track: str, suffix_of_track: str, ext: str) -> Path:
    """Name the single file of all stems; the arguments are those of :func:`stem_paths`.

    Raises:
        SeparationError: If the pattern is invalid, has {stem}, or leads outside the folder.
    """
    check_pattern(pattern)
    if any(name == "stem" for _, name, _, _ in Formatter().parse(pattern)):
        raise SeparationError(
            f"The filename {pattern!r} has {{stem}}, but one file holds all stems: remove {{stem}}."
        )
    return _path(pattern, folder, track, suffix_of_track, "", ext)


def _path(
    pattern: str, folder: Path, track: str, suffix_of_track: str, stem: str, ext: str
) -> Path:
    check_pattern(pattern)
    relative = Path(pattern.format(track=track, trackext=suffix_of_track, stem=stem, ext=ext))
    if relative.is_absolute() or ".." in relative.parts:
        raise SeparationError(f"The filename {pattern!r} points outside the output folder.")
    return folder / relative

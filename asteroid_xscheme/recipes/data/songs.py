"""Find the songs among the files of a data set, and say why any other file is left out."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Dict, List, Mapping, Optional, Tuple, cast

from .errors import DataError
from .musdb import STEM_SUFFIX, SUBSETS
from .originals import Originals
from .tracks import MIXTURE

#: suffixes of the formats that libsndfile and ffmpeg read
_LIBSNDFILE = (
    "wav wave bwf rf64 w64 aif aiff aifc caf flac ogg oga opus mp3 au snd voc ircam sf paf pvf svx "
    "8svx iff nist sph avr htk sds xi"
).split()
_FFMPEG = (
    "m4a m4b mp4 mov aac mka mkv webm wma asf wv ape tta tak mpc mp2 ac3 eac3 dts mlp thd amr spx "
    "dsf dff 3gp ra rm"
).split()
_TRACK, _NAME = "(?P<track>[^/]+)", "(?P<name>[^/]+)"
_SUBSET = f"(?P<subset>{'|'.join(SUBSETS)})"
_PATTERNS = {
    "musdb18": rf"(?:.*/)?{_SUBSET}/{_TRACK}(?i:{re.escape(STEM_SUFFIX)})",
    "musdb18hq": rf"(?:.*/)?{_SUBSET}/{_TRACK}/{_NAME}(?i:\.wav)",
    "folder": rf"(?:{_SUBSET}/)?{_TRACK}/{_NAME}(?i:\.(?:{'|'.join(_LIBSNDFILE + _FFMPEG)}))",
}
_LAYOUTS = {
    "musdb18": f"{{train,test}}/TRACK{STEM_SUFFIX}",
    "musdb18hq": "{train,test}/TRACK/{mixture,bass,drums,other,vocals}.wav",
    "folder": "{train,test}/TRACK/SOURCE.wav (or flac, mp3, ...), or TRACK/SOURCE.wav",
}
_SYSTEM_FILES = ("__MACOSX", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class Song:
    """One song of the originals.

    Attributes:
        subset: "train" or "test".
        name: Name of the song.
        files: Files by source; several files per source are a mistake of the user. A .stem.mp4 has
            the name "".
    """

    subset: str
    name: str
    files: Mapping[str, Tuple[str, ...]]


@dataclass(frozen=True)
class Listing:
    """The files of originals.

    Attributes:
        songs: The songs, sorted by subset and name.
        left_out: Names of the files and folders that belong to no song, by reason.
    """

    songs: List[Song]
    left_out: Mapping[str, List[str]]

    def __str__(self) -> str:
        """The files that are left out, one line per reason."""
        return "\n".join(
            f"  {', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}: "
            f"{reason}"
            for reason, names in self.left_out.items()
        )


def list_songs(originals: Originals, dataset: str) -> Listing:
    """Find the songs of the originals.

    Args:
        originals: Where to look. The folders train/ and test/ of MUSDB18 may be inside others.
        dataset: "musdb18", "musdb18hq" or "folder".

    Raises:
        DataError: If there are no songs.
    """
    files: Dict[Tuple[str, str], Dict[str, Tuple[str, ...]]] = {}
    left_out: Dict[str, List[str]] = {}
    for member in originals.names():
        if _is_hidden(member):
            continue
        if reason := _why_left_out(member, dataset):
            left_out.setdefault(reason, []).append(member)
            continue
        parts = cast(re.Match, re.fullmatch(_PATTERNS[dataset], member)).groupdict()
        of_song = files.setdefault((parts["subset"] or "train", parts["track"]), {})
        name = _source_name(parts.get("name", ""), dataset)
        of_song[name] = (*of_song.get(name, ()), member)
    for folder, reason in originals.skipped.items():
        left_out.setdefault(reason, []).append(f"{folder}/")
    order = sorted(files, key=lambda song: (SUBSETS.index(song[0]), song[1]))
    listing = Listing([Song(subset, name, files[subset, name]) for subset, name in order], left_out)
    if not files:
        raise DataError(_no_songs(originals, dataset, listing))
    return listing


def is_audio(name: str) -> bool:
    """Whether a file name has the suffix of a format that libsndfile or ffmpeg reads."""
    return PurePosixPath(name).suffix.lower().removeprefix(".") in _LIBSNDFILE + _FFMPEG


def _is_hidden(member: str) -> bool:
    """Whether a file is hidden or belongs to the operating system; such files are not mentioned."""
    return any(
        part.startswith(".") or part in _SYSTEM_FILES for part in PurePosixPath(member).parts
    )


def _why_left_out(member: str, dataset: str) -> Optional[str]:
    """Why a file belongs to no song; None if it belongs to one."""
    path = PurePosixPath(member)
    if dataset == "folder" and path.name.lower().endswith(STEM_SUFFIX):
        return "several stems in one file; use --dataset musdb18 for such files"
    if dataset == "folder" and len(path.parts) == 2 and path.parts[0] in SUBSETS:
        return "not in a song's folder"
    if re.fullmatch(_PATTERNS[dataset], member):
        return None
    if not is_audio(member):
        return "not an audio format that libsndfile or ffmpeg reads"
    if dataset == "folder" and len(path.parts) == 3:
        return (
            "not in train/ or test/; put validation songs into train/ and name them with "
            "--valid_tracks"
        )
    return f"not {_LAYOUTS[dataset]}"


def _source_name(name: str, dataset: str) -> str:
    """The source in a file of this name; upper case does not matter for official names."""
    known = dataset == "musdb18hq" or name.lower() == MIXTURE
    return name.lower() if known else name


def _no_songs(originals: Originals, dataset: str, listing: Listing) -> str:
    path, names = originals.path, originals.names()
    message = f"No songs in {path}: {dataset} expects {_LAYOUTS[dataset]} there."
    if path.name in SUBSETS:
        return f"{message} Did you mean {path.parent}?"
    for other, pattern in _PATTERNS.items():
        if any(re.fullmatch(pattern, name) for name in names):
            return f"{message} It looks like --dataset {other}."
    return f"{message} These were left out:\n{listing}" if listing.left_out else message

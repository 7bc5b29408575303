"""What a user has, a folder or a zip -> a list of songs and their files.

Nothing is written where the originals are. A zip is read member by member, under names that cannot
lead out of the folder they are unpacked into.
"""

import os
import re
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Dict, List, Mapping, Tuple, Union

from .errors import DataError
from .musdb import STEM_SUFFIX, SUBSETS

_DEPTH = 4  # levels of folders that are looked into
_AUDIO = ("wav", "flac", "mp3", "ogg", "m4a", "aac", "aif", "aiff", "opus", "wma")
_TRACK, _NAME = "(?P<track>[^/]+)", "(?P<name>[^/]+)"
_SUBSET = f"(?P<subset>{'|'.join(SUBSETS)})"
_PATTERNS = {
    "musdb18": rf"(?:.*/)?{_SUBSET}/{_TRACK}{re.escape(STEM_SUFFIX)}",
    "musdb18hq": rf"(?:.*/)?{_SUBSET}/{_TRACK}/{_NAME}\.wav",
    "folder": rf"(?:{_SUBSET}/)?{_TRACK}/{_NAME}\.(?:{'|'.join(_AUDIO)})",
}
_LAYOUTS = {
    "musdb18": f"{{train,test}}/TRACK{STEM_SUFFIX}",
    "musdb18hq": "{train,test}/TRACK/{mixture,bass,drums,other,vocals}.wav",
    "folder": "{train,test}/TRACK/SOURCE.wav (or flac, mp3, ...), or TRACK/SOURCE.wav",
}


@dataclass(frozen=True)
class Song:
    """One song of the originals: by source its file, or one file of stems under the name ""."""

    subset: str
    name: str
    files: Mapping[str, str]


class OriginalFolder:
    """Files of a folder that are used where they are."""

    is_temporary = False

    def __init__(self, path: Path):
        self.path = path

    def names(self) -> List[str]:
        """Relative POSIX names of the files, not deeper than songs lie."""
        found = []
        for parent, folders, files in os.walk(self.path):
            relative = Path(parent).relative_to(self.path)
            if len(relative.parts) >= _DEPTH:
                folders.clear()
            found += [(relative / file).as_posix() for file in files]
        return sorted(found)

    def fetch(self, name: str, scratch: Path) -> Path:
        """Path of a file."""
        return self.path / name


class OriginalZip:
    """Members of a zip, each unpacked when it is wanted.

    Raises:
        DataError: If the file is no zip or cut, or a member's name leads out of a folder.
    """

    is_temporary = True

    def __init__(self, path: Path):
        self.path = path
        try:
            self._archive = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise DataError(
                f"{path} is not a complete zip file ({error}). Delete it and fetch it again."
            ) from error
        for name in self._archive.namelist():
            _check_member(path, name)

    def names(self) -> List[str]:
        """Names of the members that are files."""
        return sorted(name for name in self._archive.namelist() if not name.endswith("/"))

    def fetch(self, name: str, scratch: Path) -> Path:
        """Unpack a member into the folder `scratch`, under the last part of its name."""
        target = scratch / PurePosixPath(name).name
        try:
            with self._archive.open(name) as member, open(target, "wb") as file:
                shutil.copyfileobj(member, file, 1 << 20)
        except (zipfile.BadZipFile, EOFError) as error:
            raise DataError(
                f"{self.path}: {name} is damaged ({error}). Delete the zip and fetch it again."
            ) from error
        return target


Originals = Union[OriginalFolder, OriginalZip]


def open_originals(source_dir: Union[str, Path]) -> Originals:
    """A folder or a zip as originals."""
    path = Path(source_dir).expanduser()
    if path.is_dir():
        return OriginalFolder(path)
    if path.is_file():
        return OriginalZip(path)
    raise DataError(f"--source_dir {path}: there is no such folder or zip file.")


def list_songs(originals: Originals, dataset: str) -> List[Song]:
    """Songs of the originals, sorted by subset and name.

    Args:
        originals: Where to look. The folders train/ and test/ of MUSDB18 may lie deeper.
        dataset: "musdb18", "musdb18hq" or "folder".

    Raises:
        DataError: If there is none, or a song is there twice.
    """
    pattern = re.compile(_PATTERNS[dataset])
    files: Dict[Tuple[str, str], Dict[str, str]] = {}
    for member in originals.names():
        if any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(member).parts):
            continue
        if match := pattern.fullmatch(member):
            parts = match.groupdict()
            of_song = files.setdefault((parts["subset"] or "train", parts["track"]), {})
            name = parts.get("name", "")
            if name in of_song:
                raise DataError(f"{originals.path}: {of_song[name]} and {member} are one song's.")
            of_song[name] = member
    if not files:
        raise DataError(_no_songs(originals, dataset))
    order = sorted(files, key=lambda song: (SUBSETS.index(song[0]), song[1]))
    return [Song(subset, name, files[subset, name]) for subset, name in order]


def _no_songs(originals: Originals, dataset: str) -> str:
    path, names = originals.path, originals.names()
    message = f"No songs in {path}: {dataset} expects {_LAYOUTS[dataset]} in it."
    if path.name in SUBSETS:
        return f"{message} Did you mean {path.parent}?"
    for other, pattern in _PATTERNS.items():
        if any(re.fullmatch(pattern, name) for name in names):
            return f"{message} It looks like --dataset {other}."
    return message


def _check_member(archive: Path, name: str) -> None:
    """Refuse a name that would be unpacked outside of its folder."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise DataError(
            f"{archive} has a member {name!r}, which leads out of its folder. It was made to do "
            "harm or is broken: do not use it."
        )

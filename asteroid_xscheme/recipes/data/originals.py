"""Read the user's copy of a data set, a folder or a zip, without changing it.

A zip is unpacked member by member; names that would lead out of the target folder are refused.
"""

import lzma
import os
import re
import shutil
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Dict, List, Sequence, Union

from ..identity import digest, file_hashes
from .errors import DataError

_DEPTH = 4  # levels of folders to search
_NOT_IN_WINDOWS = r'[<>:"\\|?*]'  # characters that file names on Windows must not contain
_DAMAGED = (zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError)


class OriginalFolder:
    """Files of a folder, used where they are; links to folders are followed.

    Attributes:
        skipped: By name of a folder, why it was not searched.
    """

    is_temporary = False

    def __init__(self, path: Path):
        self.path = path
        self.skipped: Dict[str, str] = {}

    def names(self) -> List[str]:
        """Relative POSIX names of the files, as deep as songs can be."""
        self.skipped.clear()
        found = []
        for parent, folders, files in os.walk(self.path, onerror=_fail, followlinks=True):
            relative = Path(parent).relative_to(self.path)
            folders[:] = [name for name in sorted(folders) if self._is_entered(relative / name)]
            found += [(relative / file).as_posix() for file in files]
        return sorted(found)

    def contents(self, names: Sequence[str]) -> Dict[str, str]:
        """The hash of each file's content, by name."""
        paths = {name: self.path / name for name in names}
        for path in paths.values():
            if not path.is_file():
                raise DataError(f"{path} cannot be read: it is a broken link or a device.")
        hashes = file_hashes(paths.values())
        return {name: hashes[path] for name, path in paths.items()}

    def fetch(self, name: str, scratch: Path) -> Path:
        """The path of a file; `scratch` is not used."""
        return self.path / name

    def _is_entered(self, relative: Path) -> bool:
        """Whether to search a folder; if not, the reason goes into `skipped`."""
        if relative.name.startswith("."):
            return False
        folder, reason = self.path / relative, None
        if len(relative.parts) > _DEPTH:
            reason = f"deeper than {_DEPTH} folders"
        elif folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve()):
            reason = "a link to one of its parent folders"
        if reason:
            self.skipped[relative.as_posix()] = reason
        return reason is None


class OriginalZip:
    """Members of a zip, each unpacked when it is needed.

    Raises:
        DataError: If the file is not a complete zip, or the name of a member leads out of the
            folder it is unpacked into.
    """

    is_temporary = True

    def __init__(self, path: Path):
        self.path = path
        self.skipped: Dict[str, str] = {}
        try:
            self._archive = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise DataError(
                f"{path} is not a complete zip file ({error}). Delete it and download it again."
            ) from error
        for name in self._archive.namelist():
            _check_member(path, name)

    def names(self) -> List[str]:
        """Names of the members that are files."""
        return sorted({name for name in self._archive.namelist() if not name.endswith("/")})

    def contents(self, names: Sequence[str]) -> Dict[str, str]:
        """A hash of each member's checksum and size, which the zip lists, by name."""
        infos = {name: self._archive.getinfo(name) for name in names}
        return {name: digest(["crc32", info.CRC, info.file_size]) for name, info in infos.items()}

    def fetch(self, name: str, scratch: Path) -> Path:
        """Unpack a member into the folder `scratch`, and return its path.

        Raises:
            DataError: If the member is damaged, encrypted or compressed by an unknown method.
        """
        target = scratch / re.sub(_NOT_IN_WINDOWS, "_", PurePosixPath(name).name)
        try:
            with self._archive.open(name) as member, open(target, "wb") as file:
                shutil.copyfileobj(member, file, 1 << 20)
        except _DAMAGED as error:
            raise DataError(
                f"{self.path}: {name} is damaged ({error}). Delete the zip and download it again."
            ) from error
        except (NotImplementedError, RuntimeError) as error:  # an unknown method, or a password
            raise DataError(
                f"{self.path}: {name} cannot be unpacked ({error}). Unpack the zip yourself and "
                "pass the folder as --source_dir."
            ) from error
        return target


Originals = Union[OriginalFolder, OriginalZip]


def open_originals(source_dir: Union[str, Path]) -> Originals:
    """Open a folder or a zip as originals.

    Raises:
        DataError: If it is neither.
    """
    path = Path(source_dir).expanduser()
    if path.is_dir():
        return OriginalFolder(path)
    if path.is_file():
        return OriginalZip(path)
    raise DataError(f"--source_dir {path}: there is no such folder or zip file.")


def _fail(error: OSError) -> None:
    raise error


def _check_member(archive: Path, name: str) -> None:
    """Refuse a name that would be unpacked outside of the target folder."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.fullmatch("[A-Za-z]:", path.parts[0]):
        raise DataError(
            f"{archive} has a member {name!r}, which points outside its folder. The archive is "
            "malicious or damaged: do not use it."
        )

"""Open zip archives of weights with limits on their size, and read members with checksums."""

import contextlib
import io
import zipfile
from pathlib import Path
from typing import Iterator, cast

import torch

from .diagnosis import DamagedFileError, told_as_damage
from .extent import check_size

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@contextlib.contextmanager
def open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip, unless it would unpack to many times its own size.

    Raises:
        DamagedFileError: If the file is not a zip, is truncated, or turns out to be damaged while
            the block reads it.
        CheckpointError: If it would unpack to many times its own size.
    """
    with told_as_damage(path, OSError), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        check_size(path, sum(member.file_size for member in members), path.stat().st_size)
        if any(member.compress_type not in _METHODS for member in members):
            raise DamagedFileError(
                f"{path} is compressed with a method that torch cannot read. Unpack it and "
                "compress it again as an ordinary zip, or download it again."
            )
        yield archive


def read_record(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> torch.UntypedStorage:
    """Read a member into new memory; zipfile verifies its checksum.

    Raises:
        zipfile.BadZipFile: If the checksum does not match.
        EOFError: If the member is truncated.
    """
    data = torch.empty(member.file_size, dtype=torch.uint8)
    with archive.open(member) as file:
        if cast(io.BufferedIOBase, file).readinto(data.numpy().data) != member.file_size:
            raise EOFError(f"{member.filename} is truncated")
    return data.untyped_storage()

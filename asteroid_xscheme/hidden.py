"""Hidden temporary files that do not outlive a killed process for long.

A process keeps its temporary file locked while it writes. An unlocked one was left behind by a
killed process; it is removed when the next temporary file is created in the same folder.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import BinaryIO, Optional

fcntl: Optional[ModuleType]
try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed, which serves as the lock
    fcntl = None

_NAME = ".xscheme-{}.part"  # not derived from the target, whose name may have the maximum length


class HiddenFile:
    """A new, empty hidden file in a folder: write to it, then call `name` or `remove`.

    Attributes:
        path: Path of the hidden file.

    Raises:
        OSError: If the file cannot be created.
    """

    def __init__(self, folder: Path):
        remove_orphans(folder)
        self.path = folder / _NAME.format(f"{os.getpid()}-{secrets.token_hex(4)}")
        self._lock = _create_locked(self.path)

    def name(self, target: Path) -> None:
        """Rename the file to `target`, replacing any file there.

        Raises:
            OSError: If it cannot be renamed; the hidden file is removed.
        """
        try:
            os.replace(self.path, target)
        finally:
            self.remove()

    def remove(self) -> None:
        """Remove the file unless it was renamed."""
        self.path.unlink(missing_ok=True)
        self._lock.close()


def is_hidden(path: Path) -> bool:
    """Whether a file has the name of a hidden temporary file."""
    return path.match(_NAME.format("*"))


def remove_orphans(folder: Path) -> None:
    """Remove the temporary files that killed processes left in a folder."""
    for orphan in folder.glob(_NAME.format("*")):
        _remove_unless_locked(orphan)


def _create_locked(path: Path) -> BinaryIO:
    """Create a file that stays locked until it is closed."""
    while True:
        file = open(path, "xb")
        if fcntl is None:
            file.close()
            return file
        with suppress(OSError):  # a file system without locks, where no process removes orphans
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # another process removed it as an orphan before it was locked


def _remove_unless_locked(path: Path) -> None:
    with suppress(OSError):  # another process has it locked, or it is already gone
        if fcntl is None:
            path.unlink()
            return
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()

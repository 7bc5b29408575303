"""Hidden files of what is being written, which go when whoever wrote them is gone.

A file is locked while its process lives. One that is not locked was left by a process that was
killed, and goes as soon as another file is begun in its folder.
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
except ImportError:  # Windows, where a file that is open cannot be removed: that is the lock
    fcntl = None

_NAME = ".xscheme-{}.part"  # short: the names of songs may be as long as a file system takes


class HiddenFile:
    """An empty hidden file in a folder, to be named or removed.

    Attributes:
        path: Where it is.

    Raises:
        OSError: If it cannot be made there.
    """

    def __init__(self, folder: Path):
        remove_orphans(folder)
        self.path = folder / _NAME.format(f"{os.getpid()}-{secrets.token_hex(4)}")
        self._lock = _create_locked(self.path)

    def name(self, target: Path) -> None:
        """Give it the name `target`, which replaces a file of that name.

        Raises:
            OSError: If it cannot have that name; then it is removed.
        """
        try:
            os.replace(self.path, target)
        finally:
            self.remove()

    def remove(self) -> None:
        """Remove it unless it was named."""
        self.path.unlink(missing_ok=True)
        self._lock.close()


def is_hidden(path: Path) -> bool:
    """Whether a file is one of these, by its name."""
    return path.match(_NAME.format("*"))


def remove_orphans(folder: Path) -> None:
    """Remove what processes left in a folder that were killed."""
    for orphan in folder.glob(_NAME.format("*")):
        _remove_unless_locked(orphan)


def _create_locked(path: Path) -> BinaryIO:
    """A new file, locked until it is closed."""
    while True:
        file = open(path, "xb")
        if fcntl is None:
            file.close()
            return file
        with suppress(OSError):  # a file system without locks: there nobody removes it either
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # another process took it for an orphan before it was locked


def _remove_unless_locked(path: Path) -> None:
    with suppress(OSError):  # it is another process's, or gone already
        if fcntl is None:
            path.unlink()
            return
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()

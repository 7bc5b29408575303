"""Write files completely or not at all, read JSON, and lock folders."""

import json
import logging
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Optional

from filelock import FileLock, Timeout

from .errors import XSchemeError
from .hidden import HiddenFile

LOCK = ".lock"  # file in a folder that `alone` has locked at some time

log = logging.getLogger(__name__)


class BusyError(XSchemeError):
    """Another process is using the same folder."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; rename it to `path` if the block succeeds."""
    hidden = HiddenFile(path.parent)
    try:
        yield hidden.path
        hidden.name(path)
    finally:
        hidden.remove()


def write_text(path: Path, text: str) -> None:
    """Write a text file, completely or not at all.

    Raises:
        OSError: If the file cannot be written.
    """
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any, indent: Optional[int] = 2, allow_nan: bool = True) -> None:
    """Write a JSON file, completely or not at all.

    Args:
        path: File to write.
        content: Value to write.
        indent, allow_nan: As for `json.dumps`.

    Raises:
        OSError: If the file cannot be written.
    """
    write_text(path, json.dumps(content, indent=indent, allow_nan=allow_nan))


def read_json(path: Path) -> Any:
    """The content of a JSON file of ours.

    Raises:
        XSchemeError: If it is damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise XSchemeError(
            f"{path} is damaged ({error}): make it again by what wrote it."
        ) from error


@contextmanager
def alone(folder: Path, wait: bool = False) -> Iterator[None]:
    """Lock a folder for the duration of a block.

    A missing folder is created. The operating system releases the lock of a killed process.

    Args:
        folder: Folder to lock.
        wait: If another process holds the lock, log a message and wait for it.

    Raises:
        BusyError: If another process holds the lock and `wait` is False.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if not wait:
            raise BusyError(
                f"Another process is using {folder}: wait for it, or stop it."
            ) from None
        log.warning("Waiting for another process that is using %s.", folder)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()

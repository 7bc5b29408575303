"""Files that appear whole or not at all, and folders that one process holds at a time."""

import json
import logging
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Optional

from filelock import FileLock, Timeout

from .errors import XSchemeError
from .hidden import HiddenFile

log = logging.getLogger(__name__)


class BusyError(XSchemeError):
    """Another process works in the same folder."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; its file gets the name `path` if the block succeeds."""
    hidden = HiddenFile(path.parent)
    try:
        yield hidden.path
        hidden.name(path)
    finally:
        hidden.remove()


def write_json(path: Path, content: Any, indent: Optional[int] = 2, allow_nan: bool = True) -> None:
    """Write a JSON file; its options are those of `json.dumps`."""
    with replacing(path) as part:
        part.write_text(json.dumps(content, indent=indent, allow_nan=allow_nan), encoding="utf-8")


@contextmanager
def alone(folder: Path, wait: bool = False) -> Iterator[None]:
    """Hold the lock of a folder, which is made if missing; a killed process holds none.

    Args:
        folder: The folder.
        wait: Whether to wait for another process that holds it, which is said.

    Raises:
        BusyError: If another process holds it and `wait` is off.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if not wait:
            raise BusyError(f"Another process works in {folder}: wait for it, or end it.") from None
        log.warning("Waiting for another process that works in %s.", folder)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()

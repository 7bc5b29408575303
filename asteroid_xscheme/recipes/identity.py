"""Decide whether an existing output is still what a run would produce now.

Everything that the recipes write (a prepared song, statistics, a checkpoint, an estimate, a score,
a published package) carries a *record* of what it was made from: names and plain values, with file
contents as hashes. Before a step reuses an output, it builds the record of what it would produce
now and calls `compare`, which answers *the same*, *changed* (and what) or *unknown*.

    record = {"model": weights_hash(package), "track": track.content, **result_options(separation)}
    if not compare(read_record(folder), record).is_same:
        ...  # make it, then
        write_record(folder, record)
"""

import hashlib
import json
import logging
import os
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple, Union

import torch

from ..atomic import write_json

Record = Mapping[str, Any]

RECORD_FILE = "made_of.json"
_HASH = "sha256:"
_MISSING = object()
_BLOCK = 1 << 20  # bytes
_SETTLED_SECONDS = 2.0  # a file may change again within one tick of the file system's clock
_LOOK_UP = "SELECT hash FROM hashes WHERE path = ? AND state = ?"
_REMEMBER = "INSERT OR REPLACE INTO hashes VALUES (?, ?, ?)"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Comparison:
    """The result of comparing an output's record with the record of what would be made now.

    Attributes:
        is_known: Whether the output has a record.
        changes: One description per difference.
    """

    is_known: bool
    changes: Tuple[str, ...] = ()

    @property
    def is_same(self) -> bool:
        """Whether the output can be reused."""
        return self.is_known and not self.changes

    def __str__(self) -> str:
        if not self.is_known:
            return "there is no record of what it was made from"
        return "; ".join(self.changes) or "the same"


def compare(before: Optional[Record], now: Record) -> Comparison:
    """Compare the record of an output with the record of what would be made now.

    Args:
        before: The output's record, or None if it has none.
        now: The record it should have.

    Returns:
        The comparison. Nested mappings are compared entry by entry. A changed hash is reported as
        "changed", without its digits.
    """
    if before is None:
        return Comparison(is_known=False)
    return Comparison(True, tuple(_changes("", before, as_plain(now))))


def read_record(folder: Path) -> Optional[Record]:
    """Read the record in a folder; None if there is none or it is damaged, which is logged."""
    path = Path(folder) / RECORD_FILE
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        log.warning(
            "%s is damaged, so the folder has no record of what it was made from.",
            path,
        )
        return None
    return record if isinstance(record, dict) else None


def write_record(folder: Path, record: Record) -> None:
    """Write the record of a folder's contents into the folder."""
    write_json(Path(folder) / RECORD_FILE, as_plain(record))


def as_plain(record: Record) -> Dict[str, Any]:
    """A record as it would come back from JSON: lists for tuples, strings for paths."""
    return json.loads(json.dumps(record, default=str, sort_keys=True))


def digest(value: Any) -> str:
    """The hash of plain values; equal for equal JSON, regardless of the order of keys."""
    text = json.dumps(value, default=str, sort_keys=True, ensure_ascii=False)
    return _HASH + hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def weights_hash(package: Mapping[str, Any]) -> str:
    """The hash of a model: class, arguments, and each tensor's name, type, shape and bytes.

    Args:
        package: What a model's `serialize` or `load_package` returns. All other entries, such as
            those for the model card, are ignored.
    """
    state = package["state_dict"]
    total = hashlib.sha256(digest([package["model_name"], package["model_args"]]).encode())
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return _HASH + total.hexdigest()


def file_hash(path: Union[str, Path]) -> str:
    """The hash of one file's content; see `file_hashes`."""
    path = Path(path)
    return file_hashes([path])[path]


def file_hashes(paths: Iterable[Path]) -> Dict[Path, str]:
    """The hash of each file's content, computed for several files at once.

    Hashes are kept in the user's cache, and reused as long as a file's size and times are the same.
    """
    paths = list(dict.fromkeys(paths))
    memory = _Memory(user_cache() / "hashes.sqlite")
    hashes = memory.look_up(paths)
    missing = [path for path in paths if path not in hashes]
    states = {path: _state(path) for path in missing}  # before reading, see _Memory.remember
    with ThreadPoolExecutor() as pool:
        computed = dict(zip(missing, pool.map(_hash_content, missing)))
    memory.remember(computed, states)
    return {**hashes, **computed}


def user_cache() -> Path:
    """This package's folder in the user's cache: XDG_CACHE_HOME, or else ~/.cache."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "asteroid_xscheme"


class _Memory:
    """A cache of hashes by path, valid for one state of the file; it only saves time."""

    def __init__(self, path: Path):
        self.path = path

    def look_up(self, paths: List[Path]) -> Dict[Path, str]:
        """The cached hashes of files that have not changed since."""
        try:
            with closing(self._open()) as database:
                rows = {
                    path: database.execute(_LOOK_UP, (_key(path), _state(path))).fetchone()
                    for path in paths
                }
        except (sqlite3.Error, PermissionError, FileExistsError, NotADirectoryError) as error:
            log.warning("Hashes of files cannot be cached (%s: %s).", self.path, error)
            return {}
        return {path: row[0] for path, row in rows.items() if row}

    def remember(self, hashes: Mapping[Path, str], states: Mapping[Path, str]) -> None:
        """Store the hashes of files that did not change while they were read."""
        settled = time.time() - _SETTLED_SECONDS
        rows = [
            (_key(path), states[path], value)
            for path, value in hashes.items()
            if _state(path) == states[path] and path.stat().st_mtime < settled
        ]
        if not rows:
            return
        try:
            with closing(self._open()) as database, database:
                database.executemany(_REMEMBER, rows)
        except (sqlite3.Error, PermissionError, FileExistsError, NotADirectoryError) as error:
            log.warning("Hashes of files cannot be cached (%s: %s).", self.path, error)

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self.path, timeout=60)
        database.execute(
            "CREATE TABLE IF NOT EXISTS hashes (path TEXT PRIMARY KEY, state TEXT, hash TEXT)"
        )
        return database


def _key(path: Path) -> bytes:
    """A path as bytes, since file names need not be UTF-8."""
    return os.fsencode(path.resolve())


def _state(path: Path) -> str:
    """Inode, size and times, at least one of which changes when a file is written or replaced."""
    state = path.stat()
    return f"{state.st_ino} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}"


def _hash_content(path: Path) -> str:
    total = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            total.update(block)
    return _HASH + total.hexdigest()


def _changes(name: str, before: Any, now: Any) -> Iterable[str]:
    """Describe the differences between two plain values."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now}):
            inner = f"{name}, {key}" if name else key
            yield from _changes(inner, before.get(key, _MISSING), now.get(key, _MISSING))
    elif before is _MISSING:
        yield f"{name} is new"
    elif now is _MISSING:
        yield f"{name} is gone"
    elif before != now:
        is_content = any(str(value).startswith(_HASH) for value in (before, now))
        yield f"{name} changed" if is_content else f"{name} was {before}, is now {now}"

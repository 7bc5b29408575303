"""Write only into folders that this package made, never into anybody else's.

A folder is ours if it contains our marker. A folder that is missing or empty may become ours.
"""

import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, List, Optional, Sequence

from ...atomic import LOCK, alone, write_json
from ...hidden import is_hidden, remove_orphans
from ..identity import Record, as_plain, compare
from .errors import DataError
from .musdb import SUBSETS

MARKER = "prepared.json"


@contextmanager
def owned(root: Path, description: Record) -> Iterator[None]:
    """Lock a folder of ours, and make it if it is missing or empty.

    Args:
        root: The folder.
        description: What to prepare in it: data set and sample rate.

    Raises:
        DataError: As :func:`check_ours`, before anything is written.
    """
    check_ours(root, description)
    with alone(root, wait=True):
        check_ours(root, description)  # another process may have prepared it in the meantime
        remove_orphans(root)
        if not compare(_read_marker(root), description).is_same:
            write_json(root / MARKER, as_plain(description))
        yield


def check_ours(root: Path, description: Record) -> None:
    """Refuse a folder that is not ours or holds other data; write nothing.

    Args:
        root: The folder.
        description: What to prepare in it.

    Raises:
        DataError: If the folder is neither ours nor empty, holds songs of another description, or
            cannot be written to.
    """
    if os.path.lexists(root) and not root.is_dir():
        raise DataError(f"{root} is not a folder. Choose another one for the prepared data.")
    # Look inside before reading the marker: another process may be preparing this folder now, and
    # it writes the marker before anything else.
    found, holds_songs = _names_of_others(root), _holds_songs(root)
    marker = _read_marker(root)
    if marker is None:
        _refuse_unless_empty(root, found)
        return
    comparison = compare(marker, description)
    if holds_songs and not comparison.is_same:
        raise DataError(
            f"{root} was prepared with other options: {comparison}. Choose another folder, or "
            "delete this one."
        )
    for subset in SUBSETS:
        if (root / subset).is_symlink():
            raise DataError(
                f"{root / subset} is a link to {(root / subset).resolve()}, and nothing is written "
                f"there. Remove the link; to keep the data elsewhere link {root} itself."
            )
    if not os.access(root, os.W_OK):
        raise DataError(
            f"You have no permission to write to {root}. You can still train on it: start with "
            "--stage 1."
        )


def prepared_dataset(root: Path) -> Optional[str]:
    """Which data set a folder was prepared from; None if it was not prepared here.

    Raises:
        DataError: If its marker is damaged.
    """
    marker = _read_marker(root)
    return None if marker is None else marker["dataset"]


def _read_marker(root: Path) -> Optional[Record]:
    path = root / MARKER
    if not path.is_file():
        return None
    try:
        marker = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        marker = None
    if not isinstance(marker, dict) or "dataset" not in marker:
        raise DataError(
            f"{path} is damaged, so nobody knows what {root} was prepared from. Delete the folder "
            "and prepare the data again."
        )
    return marker


def _refuse_unless_empty(root: Path, found: Sequence[str]) -> None:
    if not found:
        return
    shown = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
    message = (
        f"{root} was not made by `prepare`, which writes only into its own folders, but contains "
        f"{shown}. Choose another folder for the prepared data"
    )
    if any(subset in found for subset in SUBSETS):
        message += (
            ". If this one has the layout of MUSDB18-HQ, you can train on it as it is: --stage 1 "
            f"--train_dir {root}"
        )
    raise DataError(f"{message}.")


def _names_of_others(root: Path) -> List[str]:
    """Names in a folder, without those that a killed process of ours may have left."""
    if not root.is_dir():
        return []
    return sorted(path.name for path in root.iterdir() if path.name != LOCK and not is_hidden(path))


def _holds_songs(root: Path) -> bool:
    folders = (root / subset for subset in SUBSETS)
    return any(folder.is_dir() and any(folder.iterdir()) for folder in folders)

"""Make the songs of a prepared folder, each completely or not at all.

A song is made in a working folder, together with a record of what it was made from, and then moved
to its place. Preparation can therefore be killed at any moment. The next one makes the songs that
are missing, and those whose originals or options have changed.
"""

import logging
import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, List, Mapping, NamedTuple, Optional, Sequence

from tqdm import tqdm

from ...errors import XSchemeError
from ..identity import Record, as_plain, compare, read_record, write_record
from .errors import DataError

_WORKSHOP = ".preparing"  # folder of unfinished songs; not in train/, where musdb would see it
_MOST_NAMED = 10  # songs named in a message

log = logging.getLogger(__name__)


class SongOrder(ABC):
    """A song that a prepared folder should have.

    Attributes:
        subset: "train", "test" or "real".
        name: Name of the song's folder.
    """

    @property
    @abstractmethod
    def subset(self) -> str:
        """ "train", "test" or "real"."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the song's folder."""

    @property
    def title(self) -> str:
        """ "SUBSET/NAME"."""
        return f"{self.subset}/{self.name}"

    @abstractmethod
    def record(self) -> Record:
        """Everything that the files of the song depend on; see `identity`."""

    @abstractmethod
    def make(self, folder: Path) -> Sequence[str]:
        """Write the files of the song into an empty folder.

        Returns:
            Sentences that the user should read, if any.
        """


class _Outcome(NamedTuple):
    """What was done for a song."""

    is_unknown: bool = False  # an existing song without a record was left alone
    changes: Optional[str] = None  # why an existing song was made again
    notes: Sequence[str] = ()


def make_songs(root: Path, orders: Sequence[SongOrder], jobs: int, progress: bool) -> None:
    """Make the songs that are missing, and those whose originals or options have changed.

    A song whose folder has no record may be the user's own: it is left alone and logged.

    Args:
        root: The prepared folder, locked by `owned`.
        orders: The songs.
        jobs: Songs to make at once.
        progress: Whether to show a progress bar on a terminal.

    Raises:
        DataError: If some songs could not be made; all others have been.
    """
    workshop = root / _WORKSHOP
    shutil.rmtree(workshop, ignore_errors=True)  # of a process that was killed
    outcomes, failures = {}, []
    with (
        _pool(jobs) as pool,
        tqdm(total=len(orders), desc="prepare", disable=None if progress else True) as bar,
    ):
        places = (workshop / str(number) for number in range(len(orders)))
        pending = {
            pool.submit(_fulfil, order, root, place): order for order, place in zip(orders, places)
        }
        for future in as_completed(pending):
            title = pending[future].title
            try:
                outcomes[title] = future.result()
            except (XSchemeError, OSError) as error:
                failures.append(f"{title}: {error}")
            bar.update()
    shutil.rmtree(workshop, ignore_errors=True)
    _log_outcomes(outcomes)
    if failures:
        raise DataError(
            f"{len(failures)} of {len(orders)} songs could not be prepared; the others are done. "
            f"Fix these and prepare again:\n{_listed(failures)}"
        )


def recorded_songs(root: Path) -> Mapping[str, Record]:
    """The records of the songs that were made here, by "SUBSET/NAME"."""
    records = {
        f"{folder.parent.name}/{folder.name}": read_record(folder)
        for folder in sorted(root.glob("*/*"))
        if folder.is_dir() and not folder.parent.name.startswith(".")
    }
    return {title: record for title, record in records.items() if record is not None}


def discard(root: Path, title: str) -> None:
    """Remove the song "SUBSET/NAME"; no half of it is left even if this process is killed."""
    workshop = root / _WORKSHOP
    workshop.mkdir(exist_ok=True)
    _remove(root / title, Path(tempfile.mkdtemp(dir=workshop)) / "song")


@contextmanager
def _pool(jobs: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that start no more songs after an error that ends the preparation."""
    pool = ThreadPoolExecutor(max(1, jobs))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _fulfil(order: SongOrder, root: Path, place: Path) -> _Outcome:
    """Unless the song is up to date, make it in the folder `place` and move it to its own."""
    final = root / order.subset / order.name
    wanted, changes = as_plain(order.record()), None
    if os.path.lexists(final):
        there = read_record(final)
        if there is None:
            return _Outcome(is_unknown=True)
        changes = _changes(final, there, wanted)
        if changes is None:
            return _Outcome()
    try:
        place.mkdir(parents=True)
        notes = order.make(place)
        files = sorted(path.name for path in place.iterdir())
        write_record(place, {**wanted, "files": files})
        _put(place, final)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return _Outcome(changes=changes, notes=[f"{order.title}: {note}" for note in notes])


def _changes(folder: Path, there: Record, wanted: Record) -> Optional[str]:
    """Why the song in `folder` is not the wanted one; None if it is."""
    lost = [name for name in there.get("files", []) if not _is_whole(folder / name)]
    if lost:
        return f"{', '.join(lost)} is missing"
    comparison = compare({k: v for k, v in there.items() if k != "files"}, wanted)
    return None if comparison.is_same else str(comparison)


def _is_whole(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _put(made: Path, final: Path) -> None:
    """Move a new song to its place, and remove the old one."""
    final.parent.mkdir(exist_ok=True)
    if os.path.lexists(final):
        _remove(final, made.with_name(f"{made.name}.old"))
    os.replace(made, final)


def _remove(folder: Path, aside: Path) -> None:
    """Remove a song or a link to it: move it aside first, so that nobody sees half of it."""
    os.replace(folder, aside)
    aside.unlink() if aside.is_symlink() else shutil.rmtree(aside)


def _log_outcomes(outcomes: Mapping[str, _Outcome]) -> None:
    """Log what the user may not expect."""
    again = [f"{title} ({o.changes})" for title, o in sorted(outcomes.items()) if o.changes]
    if again:
        log.warning("Made again, because originals or options have changed:\n%s", _listed(again))
    unknown = [title for title, outcome in outcomes.items() if outcome.is_unknown]
    if unknown:
        log.warning(
            "Left alone, because they have no record of what they were made from. To make one of "
            "them again, delete its folder:\n%s",
            _listed(unknown),
        )
    for _, outcome in sorted(outcomes.items()):
        for note in outcome.notes:
            log.warning("%s", note)


def _listed(lines: Sequence[str]) -> str:
    """The sorted lines; only the first if there are many."""
    shown: List[str] = sorted(lines)[:_MOST_NAMED]
    more = len(lines) - len(shown)
    return "\n".join([*shown, *([f"and {more} more"] if more else [])])

"""Turn names on the command line into songs to separate and the files to write for them."""

import glob
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence, Set, Tuple

from asteroid_xscheme.separation import SeparationError

SUFFIXES = frozenset(
    ".wav .flac .mp3 .ogg .opus .m4a .mp4 .aac .wma .aiff .aif .aifc .au .caf .w64 .webm .mka "
    ".mkv .mov .ac3 .ape .wv .rf64".split()
)


@dataclass(frozen=True)
class FoundSong:
    """A song to separate.

    Attributes:
        path: The file.
        track: Name of the track: the path relative to the given folder, without suffix.
        suffix: Suffix of the file, such as ".mp3".
    """

    path: Path
    track: str
    suffix: str


@dataclass(frozen=True)
class Job:
    """What to write for a song.

    Attributes:
        path: The song.
        stems: File to write for each stem.
        page: Page to write, or None.
        problem: Why the song cannot be separated, or None.
    """

    path: Path
    stems: Dict[str, Path] = field(default_factory=dict)
    page: Optional[Path] = None
    problem: Optional[str] = None

    @property
    def files(self) -> List[Path]:
        """All files to write."""
        return [*self.stems.values(), *([self.page] if self.page else [])]


def find_songs(names: Sequence[str], out: Path) -> Tuple[List[FoundSong], List[Tuple[str, str]]]:
    """Find the songs that files, folders and glob patterns refer to.

    A folder refers to all files below it with an audio suffix, except those in `out`.

    Args:
        names: What the command line names.
        out: The output folder.

    Returns:
        The songs, each once, and a (name, problem) for each name without songs and each folder
        that cannot be read.
    """
    songs, problems = [], []
    for name in names:
        if not name:
            problems.append(("''", "empty name: expected a file, a folder or a pattern"))
            continue
        path = Path(os.path.expanduser(name))
        if os.path.isdir(path):
            files, unread = _audio_files(path, out)
            found = [(file, path) for file in files]
            problems += unread
        elif os.path.exists(path) or not glob.has_magic(name):
            found, unread = [(path, path.parent)], []
        else:
            matches = sorted(glob.glob(str(path), recursive=True))
            found, unread = [(Path(match), Path(match).parent) for match in matches], []
        if not found and not unread:
            is_folder = os.path.isdir(path)
            problems.append((name, "contains no audio files" if is_folder else "matches no file"))
        songs += [_found_song(file, root) for file, root in found]
    unique = {os.path.realpath(song.path): song for song in reversed(songs)}
    return list(unique.values())[::-1], problems


def plan_jobs(
    songs: Sequence[FoundSong],
    stem_files: Callable[[str, str], Dict[str, Path]],
    page_file: Callable[[str, str], Optional[Path]],
    kept: Sequence[Path],
) -> List[Job]:
    """Make a job for each song; one that would overwrite a needed file has a problem instead.

    Args:
        songs: The songs in their order.
        stem_files: Function (track, suffix) -> file of each stem.
        page_file: Function (track, suffix) -> file of the page, or None for no page.
        kept: Files that must not be overwritten: what the run reads, and its summary. The files of
            earlier songs must not be overwritten either.
    """
    jobs: List[Job] = []
    owners: Dict[Path, Path] = {}
    inputs = identities(kept)
    for song in songs:
        try:
            name = song.track, song.suffix
            job = Job(song.path, stem_files(*name), page_file(*name))
        except SeparationError as error:
            jobs.append(Job(song.path, problem=str(error)))
            continue
        problem = _problem_of(job, owners, inputs)
        if problem is None and os.path.exists(song.path):
            owners.update({file: song.path for file in job.files})
        jobs.append(replace(job, problem=problem))
    return jobs


def _problem_of(job: Job, owners: Dict[Path, Path], inputs: Set[Tuple[int, int]]) -> Optional[str]:
    """Why the files of a job cannot be written, or None."""
    for file in job.files:
        if file in owners:
            return (
                f"would overwrite the files of {owners[file]}, which has the same name; choose "
                "another --filename"
            )
        if identities([file]) & inputs:
            return f"would overwrite {file}, which this run reads; choose another -o or --filename"
        if os.path.isdir(file):
            return f"cannot write a stem to {file}: it is a folder"
    return None


def identities(paths: Sequence[Path]) -> Set[Tuple[int, int]]:
    """Device and inode of the files that exist, which identify a file under any name or link."""
    found = (os.stat(path) for path in paths if os.path.exists(path))
    return {(status.st_dev, status.st_ino) for status in found}


def take_shard(jobs: Sequence[Job], shard: Optional[str]) -> List[Job]:
    """The jobs of shard "i/n": every n-th job, starting with the i-th; all jobs for None.

    Raises:
        SeparationError: If the shard does not have that form with 1 <= i <= n.
    """
    if shard is None:
        return list(jobs)
    index, _, count = shard.partition("/")
    if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise SeparationError(
            f"--shard: expected I/N with 1 <= I <= N, such as 1/4, got {shard!r}."
        )
    return list(jobs)[int(index) - 1 :: int(count)]


def _audio_files(folder: Path, out: Path) -> Tuple[List[Path], List[Tuple[str, str]]]:
    """The audio files below a folder but not in `out`, and (folder, problem) if unreadable."""

    out, files, unread = out.resolve(), [], []

    def note(error: OSError) -> None:
        unread.append((str(error.filename), f"cannot be read ({error.strerror})"))

    for root, _, names in os.walk(folder, onerror=note):
        if out not in [Path(root).resolve(), *Path(root).resolve().parents]:
            files += [Path(root) / name for name in names if not name.startswith(".")]
    files = [file for file in files if file.suffix.lower() in SUFFIXES and os.path.isfile(file)]
    return sorted(files), unread


def _found_song(path: Path, root: Path) -> FoundSong:
    """Name the track of a file: `a/b/song.stem.mp4` below `a` is the track `b/song`."""
    relative = path.relative_to(root)
    name = relative.name.removesuffix(relative.suffix)
    return FoundSong(path, str(relative.with_name(name.removesuffix(".stem"))), relative.suffix)

"""What the user names on the command line -> songs to separate and the files they will make."""

import glob
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from asteroid_xscheme.separation import SeparationError

SUFFIXES = frozenset(
    ".wav .flac .mp3 .ogg .opus .m4a .mp4 .aac .wma .aiff .aif .aifc .au .caf .w64 .webm .mka "
    ".mkv .mov .ac3 .ape .wv .rf64".split()
)


@dataclass(frozen=True)
class FoundSong:
    """A file and the name of its track: its own, below the folder that was named."""

    path: Path
    track: str
    suffix: str


@dataclass(frozen=True)
class Job:
    """A song, the file of each of its stems, and why it cannot be done, if so."""

    path: Path
    stems: Dict[str, Path] = field(default_factory=dict)
    problem: Optional[str] = None


def find_songs(names: Sequence[str], out: Path) -> Tuple[List[FoundSong], List[Tuple[str, str]]]:
    """The songs that files, folders and patterns stand for, and (name, problem) of the rest.

    A folder stands for all files below it that have a suffix of audio, but for what lies in `out`.
    """
    songs, problems = [], []
    for name in names:
        path = Path(name).expanduser()
        if path.is_dir():
            found = [(file, path) for file in _audio_files(path, out)]
        elif path.exists() or not glob.has_magic(name):
            found = [(path, path.parent)]
        else:
            matches = sorted(glob.glob(str(path), recursive=True))
            found = [(Path(match), Path(match).parent) for match in matches]
        if not found:
            problems.append((name, "no audio files here" if path.is_dir() else "nothing matches"))
        songs += [_found_song(file, root) for file, root in found]
    unique = {song.path.resolve(): song for song in reversed(songs)}
    return list(unique.values())[::-1], problems


def plan_jobs(
    songs: Sequence[FoundSong], stem_files: Callable[[str, str], Dict[str, Path]]
) -> List[Job]:
    """The jobs of songs; one that would write the file of an earlier one is refused.

    Args:
        songs: The songs in their order.
        stem_files: Function (track, suffix) -> file of each stem.
    """
    jobs, owners = [], {}
    for song in songs:
        job = Job(song.path, stem_files(song.track, song.suffix))
        taken = [owners[file] for file in job.stems.values() if file in owners]
        if taken:
            problem = f"would write the files of {taken[0]}; tell them apart by --filename"
            jobs.append(replace(job, problem=problem))
            continue
        owners.update({file: song.path for file in job.stems.values()})
        jobs.append(job)
    return jobs


def take_shard(jobs: Sequence[Job], shard: Optional[str]) -> List[Job]:
    """The jobs of "i/n": every n-th from the i-th on, 1 <= i <= n."""
    if shard is None:
        return list(jobs)
    index, _, count = shard.partition("/")
    if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise SeparationError(f"Expected a shard I/N with 1 <= I <= N, such as 1/4, got {shard!r}.")
    return list(jobs)[int(index) - 1 :: int(count)]


def _audio_files(folder: Path, out: Path) -> List[Path]:
    out = out.resolve()
    files = (file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)
    return sorted(
        file
        for file in files
        if file.is_file() and not file.name.startswith(".") and out not in file.resolve().parents
    )


def _found_song(path: Path, root: Path) -> FoundSong:
    """`a/b/song.stem.mp4` below `a` is the track `b/song`."""
    relative = path.relative_to(root)
    name = relative.name.removesuffix(relative.suffix)
    return FoundSong(path, str(relative.with_name(name.removesuffix(".stem"))), relative.suffix)

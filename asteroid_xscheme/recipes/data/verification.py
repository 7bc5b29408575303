"""List the problems of a prepared folder, and how to fix each."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Iterable, List, Mapping, Optional, Sequence, Tuple, Union

from tqdm import tqdm

from ...audio import AudioError, AudioInfo, probe_audio
from ..identity import read_record
from .conversion import listed
from .errors import DataError
from .musdb import ARCHIVES, N_TRACKS, SUBSETS, validation_tracks
from .ownership import prepared_dataset
from .residual import check_sum
from .songs import is_audio
from .soundness import check_sound
from .tracks import MIXTURE, SUFFIX, mixture_file, source_files, track_folders

_AGAIN = "delete the track's folder and prepare the data again"


def verify(
    root: Union[str, Path],
    sources: Sequence[str],
    sample_rate: int,
    *,
    dataset: Optional[str] = None,
    seq_dur: float = 0.0,
    jobs: int = 2,
    progress: bool = True,
) -> List[str]:
    """Read every file of a prepared folder and report the problems.

    Args:
        root: Folder with the layout of MUSDB18-HQ.
        sources: Sources that every track should have.
        sample_rate: Sample rate in Hz that every file should have.
        dataset: As in the options; None means what the folder was prepared from. Official sets must
            have 100 and 50 tracks and the 14 validation tracks; your own ("folder") may lack
            sources.
        seq_dur: Minimum length of a training track in seconds.
        jobs: Tracks to read at once.
        progress: Whether to show a progress bar on a terminal.

    Returns:
        A description of each problem, sorted by track; an empty list if there are none.

    Raises:
        DataError: If the marker of the prepared folder is damaged.
    """
    root = Path(root).expanduser()
    dataset = dataset or prepared_dataset(root)
    problems, folders = _check_folders(root, dataset)
    checker = _TrackChecker(sources, sample_rate, seq_dur, may_lack=dataset == "folder")
    with ThreadPoolExecutor(jobs) as pool:
        found = pool.map(checker.check, folders)
        bar = tqdm(found, "verify", len(folders), disable=None if progress else True)
        return problems + [problem for of_track in bar for problem in of_track]


def _check_folders(root: Path, dataset: Optional[str]) -> Tuple[List[str], List[Path]]:
    problems, folders = [], []
    for subset in SUBSETS:
        if subset == "test" and dataset not in ARCHIVES and not (root / subset).is_dir():
            continue
        try:
            found = track_folders(root, subset)
        except DataError as error:
            problems.append(str(error))
            continue
        folders += found
        if dataset in ARCHIVES:
            problems += _check_count(root, subset, [folder.name for folder in found])
    return problems, folders


def _check_count(root: Path, subset: str, names: Sequence[str]) -> List[str]:
    problems = []
    if len(names) != N_TRACKS[subset]:
        problems.append(
            f"{root / subset} has {len(names)} tracks, but the official set has "
            f"{N_TRACKS[subset]}. Prepare the data again: it adds what is missing."
        )
    missing = sorted(set(validation_tracks()) - set(names)) if subset == "train" else []
    if missing:
        problems.append(
            f"{root / subset} lacks validation tracks: {'; '.join(missing)}. Prepare the data "
            "again, or name other tracks with --valid_tracks."
        )
    return problems


class _TrackChecker:
    """The checks that every track has to pass."""

    def __init__(self, sources: Sequence[str], sample_rate: int, seq_dur: float, may_lack: bool):
        self.sources, self.sample_rate = sources, sample_rate
        self.seq_dur, self.may_lack = seq_dur, may_lack

    def check(self, folder: Path) -> List[str]:
        """Problems of the track in `folder`."""
        files = {**source_files(folder), MIXTURE: mixture_file(folder)}
        present = {name: path for name, path in files.items() if path.exists()}
        problems = [*self._missing(folder, present), *_unread(folder, present)]
        broken = _broken(present.values())
        if not broken:
            broken = self._check_headers({n: probe_audio(p) for n, p in present.items()})
        problems += broken
        if not broken and MIXTURE in present and len(present) > 1:
            problems += check_sum(present.pop(MIXTURE), list(present.values()))
        return [f"{folder.parent.name}/{folder.name}: {problem}" for problem in problems]

    def _missing(self, folder: Path, present: Mapping[str, Path]) -> List[str]:
        wanted = [MIXTURE] if self.may_lack else [MIXTURE, *self.sources]
        made = (read_record(folder) or {}).get("files", [])
        missing = [f"{name}{SUFFIX}" for name in wanted if name not in present]
        missing += [name for name in made if not (folder / name).exists() and name not in missing]
        if self.may_lack and not any(source in present for source in self.sources):
            return [f"has none of {', '.join(self.sources)}; map its files in source_map."]
        return [f"lacks {', '.join(missing)}; {_AGAIN}."] if missing else []

    def _check_headers(self, infos: Mapping[str, AudioInfo]) -> List[str]:
        problems = []
        for name, info in infos.items():
            if info.sample_rate != self.sample_rate:
                problems.append(
                    f"{name} has a sample rate of {info.sample_rate} Hz, expected "
                    f"{self.sample_rate} Hz; prepare the data in another folder with --sample_rate "
                    f"{self.sample_rate}."
                )
        lengths = {name: info.n_samples for name, info in infos.items()}
        if len(set(lengths.values())) > 1:
            problems.append(f"files differ in length: {listed(lengths)} samples; {_AGAIN}.")
        channels = {name: info.n_channels for name, info in infos.items()}
        if len(set(channels.values())) > 1:
            problems.append(f"files differ in number of channels: {listed(channels)}; {_AGAIN}.")
        shortest = min(lengths.values(), default=0) / self.sample_rate
        if lengths and shortest < self.seq_dur:
            problems.append(
                f"{shortest:.2f} s is shorter than a segment of {self.seq_dur} s; lower --seq_dur "
                "to use it for training."
            )
        return problems


def _broken(paths: Iterable[Path]) -> List[str]:
    """Problems of files that are unreadable, empty, truncated, or have NaN or infinite samples."""
    problems = []
    for path in paths:
        try:
            check_sound(path)
        except (AudioError, DataError) as error:
            problems.append(f"{error} Replace the file, or {_AGAIN}.")
    return problems


def _unread(folder: Path, present: Mapping[str, Path]) -> List[str]:
    """Problems of audio files in a track's folder that training does not read."""
    names = sorted(path.name for path in folder.iterdir() if is_audio(path.name))
    read = {path.name for path in present.values()}
    unread = [name for name in names if name not in read and not name.startswith(".")]
    if not unread:
        return []
    return [
        f"training does not read {', '.join(unread)}; to convert such files, prepare the data with "
        "--dataset folder."
    ]

"""A prepared folder -> the list of what is wrong with it, each with the remedy."""

import math
import statistics
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

import torch
from tqdm import tqdm

from ...audio import AudioError, AudioInfo, AudioReader, probe_audio
from .errors import DataError
from .musdb import ARCHIVES, N_TRACKS, SUBSETS, VALID_TRACKS
from .tracks import MIXTURE, SUFFIX, prepared_dataset, source_files, track_folders

_BLOCK = 1 << 15  # samples read at a time
_LARGEST_RESIDUAL = -20.0  # dB of mixture minus sources; sound MUSDB18 stems reach -22.6 dB
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
    """Read every file of a prepared folder and say what is wrong.

    Args:
        root: Folder in the layout of MUSDB18-HQ.
        sources: Sources that every track should have.
        sample_rate: Rate in Hz that every file should have.
        dataset: As in the options; None is what the folder was prepared from. The official sets
            have 100 and 50 tracks and 14 for validation; one's own ("folder") may lack sources.
        seq_dur: Length in seconds that a training track should have at least.
        jobs: Tracks read at a time.
        progress: Whether to show a bar, on a terminal only.

    Returns:
        One sentence or two per problem, sorted by track; an empty list if all is well.
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
            f"{root / subset} has {len(names)} tracks, the official set {N_TRACKS[subset]}. "
            "Prepare the data again: it adds what is missing."
        )
    missing = sorted(set(VALID_TRACKS) - set(names)) if subset == "train" else []
    if missing:
        problems.append(
            f"{root / subset} lacks validation tracks: {'; '.join(missing)}. Prepare the data "
            "again, or name other tracks with --valid_tracks."
        )
    return problems


class _TrackChecker:
    """What every track has to fulfil."""

    def __init__(self, sources: Sequence[str], sample_rate: int, seq_dur: float, may_lack: bool):
        self.sources, self.sample_rate = sources, sample_rate
        self.seq_dur, self.may_lack = seq_dur, may_lack

    def check(self, folder: Path) -> List[str]:
        """Problems of the track in `folder`."""
        track = f"{folder.parent.name}/{folder.name}"
        files = {**source_files(folder), MIXTURE: folder / (MIXTURE + SUFFIX)}
        problems = [f"{track}: {problem}" for problem in self._missing(files)]
        try:
            infos = {name: probe_audio(path) for name, path in files.items() if path.exists()}
            of_headers = self._check_headers(infos)
            problems += [f"{track}: {problem}" for problem in of_headers]
            if not of_headers and infos:
                present = {name: files[name] for name in infos}
                problems += [f"{track}: {problem}" for problem in _check_samples(present)]
        except AudioError as error:
            problems.append(f"{track}: {error} Mend it by this: {_AGAIN}.")
        return problems

    def _missing(self, files: Mapping[str, Path]) -> List[str]:
        wanted = [MIXTURE] if self.may_lack else [MIXTURE, *self.sources]
        missing = [name for name in wanted if name not in files or not files[name].exists()]
        if self.may_lack and not any(source in files for source in self.sources):
            return [f"has none of {', '.join(self.sources)}; map its files in source_map."]
        if not missing:
            return []
        return [f"lacks {', '.join(name + SUFFIX for name in missing)}; {_AGAIN}."]

    def _check_headers(self, infos: Mapping[str, AudioInfo]) -> List[str]:
        problems = []
        for name, info in infos.items():
            if info.sample_rate != self.sample_rate:
                problems.append(
                    f"{name} has {info.sample_rate} Hz, expected {self.sample_rate} Hz; prepare "
                    f"the data with --sample_rate {self.sample_rate} into another folder."
                )
        lengths = {name: info.n_samples for name, info in infos.items()}
        if len(set(lengths.values())) > 1:
            problems.append(f"files of unequal length, {_listed(lengths)} samples; {_AGAIN}.")
        channels = {name: info.n_channels for name, info in infos.items()}
        if len(set(channels.values())) > 1:
            problems.append(f"unequal numbers of channels, {_listed(channels)}; {_AGAIN}.")
        shortest = min(lengths.values(), default=0) / self.sample_rate
        if lengths and shortest < self.seq_dur:
            problems.append(
                f"{shortest:.2f} s is shorter than a segment of {self.seq_dur} s; it is not "
                "trained on unless --seq_dur is smaller."
            )
        return problems


def _check_samples(files: Mapping[str, Path]) -> List[str]:
    """NaN and infinity in any file; sources that do not add up to the mixture."""
    broken: Dict[str, None] = {}
    levels = []
    with ExitStack() as stack:
        readers = {name: stack.enter_context(AudioReader(path)) for name, path in files.items()}
        while True:
            blocks = {name: reader.read(_BLOCK) for name, reader in readers.items()}
            broken.update({name: None for name, b in blocks.items() if not b.isfinite().all()})
            if not all(block.shape[-1] for block in blocks.values()):
                break
            if MIXTURE in blocks and len(blocks) > 1:
                levels.append(_residual_level(blocks.pop(MIXTURE), blocks.values()))
    if broken:
        return [
            f"{name}{SUFFIX} has samples that are NaN or infinite; replace the file, or {_AGAIN}."
            for name in broken
        ]
    return _check_residual(levels)


def _residual_level(mixture: torch.Tensor, sources: Iterable[torch.Tensor]) -> float:
    """Level in dB of mixture minus sources, relative to the mixture; -inf if it is zero."""
    residual = (mixture - sum(sources)).double().square().sum().item()
    energy = mixture.double().square().sum().item()
    if residual == 0:
        return -math.inf
    return 10 * math.log10(residual / energy) if energy else math.inf


def _check_residual(levels: Sequence[float]) -> List[str]:
    """Compare the median over blocks: real stems have bursts at their ends and noisy pauses."""
    level = statistics.median_low(levels) if levels else -math.inf
    if level <= _LARGEST_RESIDUAL:
        return []
    return [
        f"mixture and sum of the sources differ by {level:.1f} dB, more than {_LARGEST_RESIDUAL} "
        "dB: a source is missing, shifted or at another level, or the mixture was mastered. "
        "Training sums the sources and is not affected; scores of this track are."
    ]


def _listed(values: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())

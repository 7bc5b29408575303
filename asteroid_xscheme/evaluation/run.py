"""A separator and test tracks -> scores on disk, in bounded memory, continued where they stopped.

This process separates one track after the other and writes its estimates; other processes read
them and score. A track whose scores are on disk is neither separated nor scored again. The
baselines need no model: they are scored once for a data set and shared by the runs beside it.
"""

import multiprocessing
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Mapping, Sequence

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ..audio import read_audio, write_audio
from ..baselines import StaticFilter, mixture_as_estimate, ratio_mask_oracle
from ..data import FileReader, Track, read_sources
from .scores import BSS_EVAL, TrackScores, score_track

#: (mixture (C, T), sources (J, C, T), static filter) -> estimates (J, C, T)
Baseline = Callable[[torch.Tensor, torch.Tensor, StaticFilter], torch.Tensor]
#: mixture (C, T), sample rate -> by source (C, T)
Separate = Callable[[torch.Tensor, int], Mapping[str, torch.Tensor]]

_WAITING_TRACKS = 2  # per scoring process: separated, not scored yet


@dataclass(frozen=True)
class Scoring:
    """How tracks are scored.

    Attributes:
        sources: Names of the sources.
        bss_eval: A name in `BSS_EVAL`.
        jobs: Processes.
    """

    sources: Sequence[str]
    bss_eval: str = "museval"
    jobs: int = 1


def evaluate_separation(
    separate: Separate,
    tracks: Sequence[Track],
    folder: Path,
    scoring: Scoring,
    keep_estimates: bool = True,
) -> List[TrackScores]:
    """Separate and score tracks.

    Args:
        separate: The separator.
        tracks: The test tracks.
        folder: Receives scores/TRACK.json and estimates/TRACK/SOURCE.wav.
        scoring: How to score.
        keep_estimates: Whether the estimates stay there.

    Returns:
        Scores of all tracks, in their order.
    """
    todo = [track for track in tracks if not _scores_file(folder, track).is_file()]
    with _scoring_pool(scoring.jobs) as submit:
        for track in tqdm(todo, "separating", unit="track", disable=None):
            mixture, sample_rate = read_audio(track.mixture_file)
            estimates = separate(mixture, sample_rate)
            for source in scoring.sources:
                write_audio(
                    _estimate_file(folder, track, source), estimates[source], sample_rate, "FLOAT"
                )
            submit(_score_files, track, folder, scoring, keep_estimates)
    return [TrackScores.load(_scores_file(folder, track)) for track in tracks]


def evaluate_baselines(
    tracks: Sequence[Track], train_tracks: Sequence[Track], folder: Path, scoring: Scoring
) -> Dict[str, List[TrackScores]]:
    """Scores of what a model is compared with, by name.

    Args:
        tracks: The test tracks.
        train_tracks: What the static filter is learnt on.
        folder: Receives NAME/scores/TRACK.json; the estimates are not kept.
        scoring: How to score.
    """
    missing = [
        (name, track)
        for name in BASELINES
        for track in tracks
        if not _scores_file(folder / name, track).is_file()
    ]
    if missing:
        static = StaticFilter().fit(_mixtures_and_sources(train_tracks, scoring.sources))
        with _scoring_pool(scoring.jobs) as submit:
            for name, track in missing:
                submit(_score_baseline, track, folder / name, scoring, BASELINES[name], static)
    return {
        name: [TrackScores.load(_scores_file(folder / name, track)) for track in tracks]
        for name in BASELINES
    }


def _mixture(mixture: torch.Tensor, sources: torch.Tensor, static: StaticFilter) -> torch.Tensor:
    return mixture_as_estimate(mixture, len(sources))


def _static(mixture: torch.Tensor, sources: torch.Tensor, static: StaticFilter) -> torch.Tensor:
    return static.apply(mixture)


def _oracle(mixture: torch.Tensor, sources: torch.Tensor, static: StaticFilter) -> torch.Tensor:
    return ratio_mask_oracle(mixture, sources)


BASELINES: Mapping[str, Baseline] = {
    "mixture": _mixture,
    "static filter": _static,
    "ratio-mask oracle": _oracle,
}


def _mixtures_and_sources(tracks: Sequence[Track], sources: Sequence[str]) -> Iterator:
    reader = FileReader()
    for track in tracks:
        waveforms = torch.from_numpy(read_sources(reader, track, sources, 0, track.n_samples))
        yield waveforms.sum(0), waveforms
    reader.close()


@contextmanager
def _scoring_pool(jobs: int) -> Iterator[Callable[..., None]]:
    """A function that hands work to `jobs` processes, and waits while they have enough of it.

    On leaving, all work is done; the first error of any is raised.
    """
    pending: List[Future] = []
    context = multiprocessing.get_context("spawn")  # safe beside the threads of torch
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:

        def submit(function: Callable, *args) -> None:
            if len(pending) >= jobs * _WAITING_TRACKS:
                pending.pop(0).result()
            pending.append(pool.submit(function, *args))

        yield submit
        for future in tqdm(pending, "scoring", unit="track", disable=None):
            future.result()


def _score_files(track: Track, folder: Path, scoring: Scoring, keep_estimates: bool) -> None:
    files = {source: _estimate_file(folder, track, source) for source in scoring.sources}
    estimates = np.stack([read_audio(path)[0].numpy() for path in files.values()])
    _score(track, _read_references(track, scoring.sources), estimates, folder, scoring)
    if not keep_estimates:
        for path in files.values():
            path.unlink()
        path.parent.rmdir()


def _score_baseline(
    track: Track, folder: Path, scoring: Scoring, baseline: Baseline, static: StaticFilter
) -> None:
    torch.set_num_threads(1)
    mixture, _ = read_audio(track.mixture_file)
    references = _read_references(track, scoring.sources)
    estimates = baseline(mixture, torch.from_numpy(references), static).numpy()
    _score(track, references, estimates, folder, scoring)


def _score(
    track: Track, references: np.ndarray, estimates: np.ndarray, folder: Path, scoring: Scoring
) -> None:
    """Score waveforms (J, C, T) of a track with one thread: the tracks run side by side."""
    by_source = (
        dict(zip(scoring.sources, waveforms.transpose(0, 2, 1).astype(np.float64)))
        for waveforms in (references, estimates)
    )
    with threadpool_limits(1):
        scores = score_track(track.name, *by_source, track.sample_rate, BSS_EVAL[scoring.bss_eval])
    scores.save(_scores_file(folder, track))


def _read_references(track: Track, sources: Sequence[str]) -> np.ndarray:
    reader = FileReader()
    references = read_sources(reader, track, sources, 0, track.n_samples)
    reader.close()
    return references


def _scores_file(folder: Path, track: Track) -> Path:
    return folder / "scores" / track.subset / f"{track.name}.json"


def _estimate_file(folder: Path, track: Track, source: str) -> Path:
    return folder / "estimates" / track.name / f"{source}.wav"

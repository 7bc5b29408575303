"""A separator and test tracks -> scores on disk, in bounded memory, continued where they stopped.

This process separates one track after the other and writes its estimates; other processes read
them and score. A track whose scores are on disk is neither separated nor scored again, unless they
were made of something else, another model say. The baselines need no model: they are scored once
for a data set and shared by the runs beside it.
"""

import json
import multiprocessing
import shutil
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Callable, Dict, Iterator, List, Mapping, Sequence, Tuple

import torch
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ...atomic import write_json
from ...audio import read_audio, write_audio
from ...errors import XSchemeError
from ..baselines import StaticFilter, mixture_as_estimate, ratio_mask_oracle
from ..data import Track
from .scores import BSS_EVAL, TrackScores, score_track
from .waveforms import Waveforms

#: (mixture (C, T), sources (J, C, T), static filter) -> estimates (J, C, T)
Baseline = Callable[[torch.Tensor, torch.Tensor, StaticFilter], torch.Tensor]
#: mixture (C, T), sample rate -> by source (C, T)
Separate = Callable[[torch.Tensor, int], Mapping[str, torch.Tensor]]

_WAITING_TRACKS = 2  # per scoring process: separated, not scored yet


class ScoringError(XSchemeError):
    """A track could not be scored."""


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
    made_of: Mapping[str, str] = MappingProxyType({}),
) -> List[TrackScores]:
    """Separate and score tracks.

    Args:
        separate: The separator.
        tracks: The test tracks.
        folder: Receives scores/TRACK.json and estimates/TRACK/SOURCE.wav.
        scoring: How to score.
        keep_estimates: Whether the estimates stay there.
        made_of: What the estimates depend on, such as the model's hash. Scores that are there but
            were made of something else are made again.

    Returns:
        Scores of all tracks, in their order.
    """
    _forget_others(folder, scoring, made_of)
    todo = [track for track in tracks if not _scores_file(folder, track).is_file()]
    with _scoring_pool(scoring.jobs) as submit:
        for track in tqdm(todo, "separating", unit="track", disable=None):
            mixture, sample_rate = read_audio(track.mixture_file, n_samples=track.n_samples)
            estimates = separate(mixture, sample_rate)
            for source in scoring.sources:
                path = estimate_file(folder, track, source)
                path.parent.mkdir(parents=True, exist_ok=True)
                write_audio(path, estimates[source], sample_rate, "FLOAT")
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
    learnt_on = ", ".join(sorted(str(track.folder) for track in train_tracks))
    _forget_others(folder, scoring, {"learnt on": learnt_on})
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
    for track in tracks:
        waveforms = Waveforms.of_track(track, sources).read(0, track.n_samples)
        yield torch.from_numpy(waveforms.sum(0)), torch.from_numpy(waveforms)


@contextmanager
def _scoring_pool(jobs: int) -> Iterator[Callable[..., None]]:
    """A function that hands work on a track to `jobs` processes, and waits while they have enough.

    On leaving, all work is done; the first error of any is raised, with its track.
    """
    pending: List[Tuple[Track, Future]] = []
    with ProcessPoolExecutor(jobs, mp_context=_process_context()) as pool:

        def submit(function: Callable, track: Track, *args) -> None:
            if len(pending) >= jobs * _WAITING_TRACKS:
                _wait(*pending.pop(0))
            pending.append((track, pool.submit(function, track, *args)))

        yield submit
        for track, future in tqdm(pending, "scoring", unit="track", disable=None):
            _wait(track, future)


def _process_context() -> multiprocessing.context.BaseContext:
    """Processes that share what is imported, where there are any, and never this one's threads."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _wait(track: Track, future: Future) -> None:
    error = future.exception()
    if error is not None:
        raise ScoringError(f"{track.folder} could not be scored: {error}") from error


def _score_files(track: Track, folder: Path, scoring: Scoring, keep_estimates: bool) -> None:
    files = {source: estimate_file(folder, track, source) for source in scoring.sources}
    _score(track, Waveforms.of_files(files), folder, scoring)
    if not keep_estimates:
        for path in files.values():
            path.unlink()
        path.parent.rmdir()


def _score_baseline(
    track: Track, folder: Path, scoring: Scoring, baseline: Baseline, static: StaticFilter
) -> None:
    torch.set_num_threads(1)
    mixture, _ = read_audio(track.mixture_file, n_samples=track.n_samples)
    references = Waveforms.of_track(track, scoring.sources).read(0, track.n_samples)
    estimates = baseline(mixture, torch.from_numpy(references), static).numpy()
    by_source = {s: estimate.T for s, estimate in zip(scoring.sources, estimates)}
    _score(track, Waveforms.of_arrays(by_source), folder, scoring)


def _score(track: Track, estimates: Waveforms, folder: Path, scoring: Scoring) -> None:
    """Score a track with one thread: the tracks run side by side."""
    references = Waveforms.of_track(track, scoring.sources)
    with threadpool_limits(1):
        scores = score_track(
            track.name, references, estimates, track.sample_rate, BSS_EVAL[scoring.bss_eval]
        )
    scores.save(_scores_file(folder, track))


def _forget_others(folder: Path, scoring: Scoring, made_of: Mapping[str, str]) -> None:
    """Remove scores that lie in the folder but were made of something else."""
    made_of = {"bss_eval": scoring.bss_eval, "sources": ", ".join(scoring.sources), **made_of}
    path = folder / "made_of.json"
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else made_of
    changed = [name for name in {**before, **made_of} if before.get(name) != made_of.get(name)]
    if changed:
        print(f"{folder}: {', '.join(changed)} changed; everything is scored again.")
        for scores in sorted(folder.rglob("scores")):
            shutil.rmtree(scores)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, made_of)


def _scores_file(folder: Path, track: Track) -> Path:
    return folder / "scores" / track.subset / f"{track.name}.json"


def estimate_file(folder: Path, track: Track, source: str) -> Path:
    """Where the estimate of a source lies."""
    return folder / "estimates" / track.name / f"{source}.wav"

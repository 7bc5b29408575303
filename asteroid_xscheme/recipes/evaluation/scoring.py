"""How tracks are scored, and the processes that do it, one track each."""

import multiprocessing
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Sequence, Tuple

from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ...errors import XSchemeError, is_mistake
from ..data import Track
from .errors import ScoringError
from .estimates import ACCOMPANIMENT, accompanied
from .scores import BSS_EVAL, TrackScores, score_track
from .waveforms import Waveforms

#: by name on the command line, that in tables and files
METRIC_NAMES = {"bsseval": "BSSEval", "usdr": "uSDR", "si_sdr": "SI-SDR"}
_OF_THE_MACHINE = (BrokenProcessPool, MemoryError)  # a process that the system ended
_WAITING_TRACKS = 2  # per scoring process: separated, not scored yet


@dataclass(frozen=True)
class Scoring:
    """How tracks are scored.

    Attributes:
        sources: Names of all sources of the data.
        bss_eval: A name in `BSS_EVAL`.
        jobs: Processes.
        metrics: Names in `METRIC_NAMES`.
        targets: The sources that are scored, which may include "accompaniment", the sum of all but
            the vocals. BSSEval's SIR and SAR are those among these. None are all sources.
    """

    sources: Sequence[str]
    bss_eval: str = "museval"
    jobs: int = 1
    metrics: Sequence[str] = ("bsseval",)
    targets: Sequence[str] = ()

    def __post_init__(self):
        unknown = sorted(set(self.metrics) - set(METRIC_NAMES))
        if unknown or not self.metrics:
            known = ", ".join(METRIC_NAMES)
            raise ScoringError(f"metrics must be from {known}; got {', '.join(unknown) or 'none'}.")
        strange = sorted(set(self.scored) - {*self.sources, ACCOMPANIMENT})
        if strange:
            raise ScoringError(
                f"There is no source {', '.join(strange)} to score; the sources are "
                f"{', '.join(self.sources)}, and {ACCOMPANIMENT} is all but the vocals."
            )

    @property
    def scored(self) -> Tuple[str, ...]:
        """What is scored, in order."""
        return tuple(self.targets or self.sources)

    def record(self) -> Dict[str, Any]:
        """What scores depend on beside references and estimates."""
        record = {"targets": sorted(self.scored), "metrics": sorted(self.metrics)}
        return {**record, "bss_eval": self.bss_eval} if "bsseval" in self.metrics else record

    def score(
        self, track: Track, estimates: Waveforms, made_of: Mapping[str, Any], path: Path
    ) -> TrackScores:
        """Score a track with one thread, as the tracks run side by side, and write its scores."""
        references = Waveforms.of_track(self.prepared(track), self.scored)
        with threadpool_limits(1):
            scores = score_track(
                track.name,
                references,
                estimates,
                track.sample_rate,
                BSS_EVAL[self.bss_eval] if "bsseval" in self.metrics else None,
                [METRIC_NAMES[name] for name in self.metrics if name != "bsseval"],
            )
        scores = TrackScores(scores.track, scores.frames, scores.songs, made_of)
        scores.save(path)
        return TrackScores.load(path)

    def prepared(self, track: Track) -> Track:
        """A track that has all that is scored as sources."""
        return accompanied(track) if ACCOMPANIMENT in self.scored else track


class ScoringPool:
    """Processes that score tracks; `results` fills by the keys that work was handed in under."""

    def __init__(self, pool: ProcessPoolExecutor, jobs: int):
        self.results: Dict[Any, TrackScores] = {}
        self._pool, self._most = pool, jobs * _WAITING_TRACKS
        self._pending: List[Tuple[Any, Track, Future]] = []

    def submit(self, key: Any, track: Track, function: Callable[..., TrackScores], *args) -> None:
        """Hand in work on a track, and wait while the processes have enough."""
        if len(self._pending) >= self._most:
            self._take(*self._pending.pop(0))
        self._pending.append((key, track, self._pool.submit(function, track, *args)))

    def finish(self) -> None:
        """Wait for all work; the first error of any is raised, with its track, as a
        RuntimeError if it is not a mistake of the user's."""
        for each in tqdm(self._pending, "scoring", unit="track", disable=None):
            self._take(*each)

    def _take(self, key: Any, track: Track, future: Future) -> None:
        error = future.exception()
        if isinstance(error, XSchemeError) and str(track.folder) in str(error):
            raise error
        if error is not None:
            has_remedy = is_mistake(error) or isinstance(error, _OF_THE_MACHINE)
            kind = ScoringError if has_remedy else RuntimeError
            raise kind(f"{track.folder} could not be scored: {error}") from error
        self.results[key] = future.result()


@contextmanager
def scoring_pool(jobs: int) -> Iterator[ScoringPool]:
    """A pool of so many processes; on leaving, all work is done."""
    with ProcessPoolExecutor(jobs, mp_context=_process_context()) as pool:
        work = ScoringPool(pool, jobs)
        yield work
        work.finish()


def _process_context() -> multiprocessing.context.BaseContext:
    """Processes that share what is imported, where there are any, and never this one's threads."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context

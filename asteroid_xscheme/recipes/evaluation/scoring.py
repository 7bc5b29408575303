"""How to score tracks, and a pool of processes that each score one track at a time."""

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

#: name on the command line -> name in tables and files
METRIC_NAMES = {"bsseval": "BSSEval", "usdr": "uSDR", "si_sdr": "SI-SDR"}
_OF_THE_MACHINE = (BrokenProcessPool, MemoryError)  # a process that the system ended
_WAITING_TRACKS = 2  # tracks per process that are separated but not scored yet


@dataclass(frozen=True)
class Scoring:
    """How to score tracks.

    Attributes:
        sources: Names of all sources of the data.
        bss_eval: A name in `BSS_EVAL`.
        jobs: Number of processes.
        metrics: Names in `METRIC_NAMES`.
        targets: The sources to score; empty for all. "accompaniment" is the sum of all sources but
            the vocals. SIR and SAR consider interference between these sources only.

    Raises:
        ScoringError: If a metric or a source is unknown.
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
            got = ", ".join(unknown) or "none"
            raise ScoringError(f"metrics must be one or more of {known}; got {got}.")
        strange = sorted(set(self.scored) - {*self.sources, ACCOMPANIMENT})
        if strange:
            raise ScoringError(
                f"There is no source {', '.join(strange)} to score. The sources are "
                f"{', '.join(self.sources)}; {ACCOMPANIMENT} is the sum of all but the vocals."
            )

    @property
    def scored(self) -> Tuple[str, ...]:
        """The names of the sources to score, in order."""
        return tuple(self.targets or self.sources)

    def record(self) -> Dict[str, Any]:
        """Record of what scores depend on besides references and estimates."""
        record = {"targets": sorted(self.scored), "metrics": sorted(self.metrics)}
        return {**record, "bss_eval": self.bss_eval} if "bsseval" in self.metrics else record

    def score(
        self, track: Track, estimates: Waveforms, made_of: Mapping[str, Any], path: Path
    ) -> TrackScores:
        """Score a track on one thread, since tracks are scored in parallel, and save the scores.

        Args:
            track: The track, whose sources are the references.
            estimates: Waveforms of the estimates.
            made_of: Record of what the scores depend on.
            path: JSON file to write.
        """
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
        """The track, with its accompaniment as a source if that is to be scored."""
        return accompanied(track) if ACCOMPANIMENT in self.scored else track


class ScoringPool:
    """Processes that score tracks; `results` collects the scores by the key of `submit`."""

    def __init__(self, pool: ProcessPoolExecutor, jobs: int):
        self.results: Dict[Any, TrackScores] = {}
        self._pool, self._most = pool, jobs * _WAITING_TRACKS
        self._pending: List[Tuple[Any, Track, Future]] = []

    def submit(self, key: Any, track: Track, function: Callable[..., TrackScores], *args) -> None:
        """Submit work on a track; wait first if the queue is full."""
        if len(self._pending) >= self._most:
            self._take(*self._pending.pop(0))
        self._pending.append((key, track, self._pool.submit(function, track, *args)))

    def finish(self) -> None:
        """Wait for all work.

        Raises:
            ScoringError: If a track could not be scored; the message names the first.
            RuntimeError: If that was not the user's mistake.
        """
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
    """A pool of `jobs` processes; leaving the block waits for all work."""
    with ProcessPoolExecutor(jobs, mp_context=_process_context()) as pool:
        work = ScoringPool(pool, jobs)
        yield work
        work.finish()


def _process_context() -> multiprocessing.context.BaseContext:
    """Start processes without forking this one's threads; share imports where possible."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context

"""Separate several songs at once: how many, with how many threads, and results in order."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from threading import Event
from typing import Callable, Generator, Iterator, Optional, Sequence, Tuple, TypeVar

import torch

from asteroid_xscheme.separation import SeparationError
from .songs import Job

T = TypeVar("T")


def share_cores(jobs: int, threads: Optional[int]) -> int:
    """Set torch's threads per song and return how many songs to separate at once.

    The number of threads affects how sums are rounded, so the requested number is kept. If there
    are too few cores, fewer songs are separated at once.

    Args:
        jobs: Requested number of songs at once.
        threads: Requested threads per song; None divides torch's default among the songs.

    Raises:
        SeparationError: If either is below 1.
    """
    for name, wanted in (("job", jobs), ("thread", threads)):
        if wanted is not None and wanted < 1:
            raise SeparationError(f"--{name}s: expected 1 or more, got {wanted}.")
    n_cores = os.cpu_count() or 1
    n_threads = min(threads or max(1, torch.get_num_threads() // jobs), n_cores)
    n_songs = min(jobs, n_cores // n_threads)
    if n_songs < jobs or n_threads < (threads or 1):
        print(
            f"xscheme: this machine has {n_cores} cores, so it separates {n_songs} "
            f"{'song' if n_songs == 1 else 'songs'} at once with {n_threads} "
            f"{'thread' if n_threads == 1 else 'threads'} each",
            file=sys.stderr,
        )
    torch.set_num_threads(n_threads)
    return n_songs


def in_order(
    run: Callable[[Job, Callable[[], T]], dict],
    prepare: Callable[[Job], T],
    jobs: Sequence[Job],
    n_at_once: int,
    stop: Event,
) -> Generator[dict, None, None]:
    """Run jobs, several at once, and yield their results in the order of the jobs.

    Args:
        run: Function of a job and a function that returns what was prepared for it; it should raise
            an error soon after `stop` is set.
        prepare: Function that prepares a job, possibly while the job before it runs.
        jobs: All jobs.
        n_at_once: Number of jobs to run at once; 1 runs them in the caller's thread.
        stop: Event that is set when the caller stops taking results.
    """
    if n_at_once == 1:
        for job, prepared in _one_ahead(prepare, jobs):
            yield run(job, prepared)
        return
    with ThreadPoolExecutor(n_at_once, "song") as pool:
        try:
            for future in [pool.submit(run, job, partial(prepare, job)) for job in jobs]:
                yield future.result()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _one_ahead(
    prepare: Callable[[Job], T], jobs: Sequence[Job]
) -> Iterator[Tuple[Job, Callable[[], T]]]:
    """Each job and what returns its preparation; meanwhile a thread prepares the next one."""
    with ThreadPoolExecutor(1, "next song") as pool:
        remaining = iter(jobs)
        coming = [(job, pool.submit(prepare, job)) for job in islice(remaining, 1)]
        while coming:
            job, preparation = coming.pop()
            coming = [(job, pool.submit(prepare, job)) for job in islice(remaining, 1)]
            yield job, preparation.result

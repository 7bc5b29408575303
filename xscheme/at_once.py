"""Separate several songs at once: how many, with how many threads, and results in order."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Callable, Generator, Optional, Sequence

import torch

from asteroid_xscheme.separation import SeparationError
from .songs import Job


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
    run: Callable[[Job], dict], jobs: Sequence[Job], n_at_once: int, stop: Event
) -> Generator[dict, None, None]:
    """Run jobs, several at once, and yield their results in the order of the jobs.

    Args:
        run: Function that does one job; it should raise an error soon after `stop` is set.
        jobs: All jobs.
        n_at_once: Number of jobs to run at once; 1 runs them in the caller's thread.
        stop: Event that is set when the caller stops taking results.
    """
    if n_at_once == 1:
        yield from map(run, jobs)
        return
    with ThreadPoolExecutor(n_at_once, "song") as pool:
        try:
            for future in [pool.submit(run, job) for job in jobs]:
                yield future.result()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)

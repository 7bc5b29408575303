"""Songs at a time: how many, with how many threads each, and their results in order."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Callable, Generator, Optional, Sequence

import torch

from asteroid_xscheme.separation import SeparationError
from .songs import Job


def share_cores(jobs: int, threads: Optional[int]) -> int:
    """Set torch's threads per song and return how many songs to separate at a time.

    The number of threads affects how sums are rounded, so it is kept as requested; if there are
    too few cores, fewer songs are separated at a time.

    Args:
        jobs: Requested number of songs at a time.
        threads: Requested threads per song; None shares torch's default among the songs.

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
            f"xscheme: this machine has {n_cores} cores: songs at a time: {n_songs}, threads per "
            f"song: {n_threads}",
            file=sys.stderr,
        )
    torch.set_num_threads(n_threads)
    return n_songs


def in_order(
    run: Callable[[Job], dict], jobs: Sequence[Job], n_at_once: int, stop: Event
) -> Generator[dict, None, None]:
    """Run jobs, several at a time, and yield their results in the order of the jobs.

    Args:
        run: Does one job; should raise an error soon after `stop` is set.
        jobs: All jobs.
        n_at_once: Number of jobs to run at a time; 1 runs them in the caller's thread.
        stop: Set when the caller takes no more results.
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

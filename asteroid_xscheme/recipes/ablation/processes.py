"""Run the jobs of a grid in child processes, each with its share of the cores or its own GPU."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, IO, List, Optional, Sequence, Set, Tuple, cast

import torch

from ..machine import n_cores
from .cells import AblationError

_MOST_ON_CPU = 4  # cells at once, to limit memory


@dataclass(frozen=True)
class Job:
    """The work of one child process.

    Attributes:
        name: Name in messages.
        kind: First argument of `job.py`.
        folders: Folders to work in; the first also receives the log.
        leaves: Name of the file that each folder contains when the job is done.
    """

    name: str
    kind: str
    folders: Tuple[Path, ...]
    leaves: str

    @property
    def is_done(self) -> bool:
        """Whether every folder contains the file that marks the job as done."""
        return all((folder / self.leaves).is_file() for folder in self.folders)

    @property
    def log(self) -> Path:
        """File that receives the output of the child process."""
        return self.folders[0] / f"{self.kind}.log"


#: Function that does a job in a slot, which is a number below the number of jobs at once.
Run = Callable[[Job, int], None]


def default_jobs() -> int:
    """Cells to run at once: one per GPU; without GPUs, one per core, up to 4."""
    return torch.cuda.device_count() or min(_MOST_ON_CPU, n_cores())


def run_jobs(
    jobs: Sequence[Job],
    run: Run,
    slots: int,
    report: Callable[[str], None] = print,
    stop: Callable[[], None] = lambda: None,
) -> None:
    """Do all jobs, `slots` at once. A job that fails does not stop the others.

    Args:
        jobs: The jobs, in the order in which to start them.
        run: Function that does one job.
        slots: Number of jobs at once.
        report: Function that receives a line for each finished job.
        stop: Function that ends the running jobs; called if this process is interrupted.

    Raises:
        AblationError: At the end, if any job failed.
    """
    free: queue.SimpleQueue = queue.SimpleQueue()
    for slot in range(slots):
        free.put(slot)

    def one(job: Job) -> float:
        slot, start = free.get(), time.perf_counter()
        try:
            run(job, slot)
        finally:
            free.put(slot)
        return time.perf_counter() - start

    with ThreadPoolExecutor(slots) as pool:
        futures = {pool.submit(one, job): job for job in jobs}
        try:
            problems = _collect(futures, report)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop()
            raise
    if problems:
        title = (
            f"{len(problems)} of {len(jobs)} jobs failed. Run the same command again to repeat "
            "only these:"
        )
        raise AblationError("\n".join([title, *problems]))


def _collect(futures: Dict[Future, Job], report: Callable[[str], None]) -> List[str]:
    """Report jobs as they end; return descriptions of the failed ones."""
    problems = []
    for n_done, future in enumerate(as_completed(futures), start=1):
        job, error = futures[future], future.exception()
        count = f"[{n_done}/{len(futures)}] {job.name}"
        if error is None:
            report(f"{count}: done in {future.result() / 60:.1f} min")
        elif isinstance(error, AblationError):
            problems.append(f"{job.name}: {error}")
            report(f"{count}: failed")
        else:
            raise error
    return problems


class ChildProcesses:
    """Does jobs in child processes, which end when this process ends for any reason.

    Args:
        slots: Number of jobs at once. Each gets an equal share of the cores as threads, and one GPU
            if there are any.
    """

    def __init__(self, slots: int):
        self.threads = max(1, n_cores() // slots)
        self.gpus = _gpus()
        self._children: Set[subprocess.Popen] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def __call__(self, job: Job, slot: int) -> None:
        """Do a job in a child process.

        Raises:
            AblationError: If it fails; the message has the last line of its output.
        """
        job.log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "asteroid_xscheme.recipes.ablation.job", job.kind]
        command += [str(folder) for folder in job.folders]
        with open(job.log, "ab") as log:
            with self._lock:
                if self._stopped:
                    return
                child = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,  # closes when this process ends, see job.py
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **self.environment(slot)},
                    start_new_session=True,
                )
                self._children.add(child)
            status = child.wait()
            cast(IO[bytes], child.stdin).close()
            self._children.discard(child)
        if status:
            raise AblationError(
                f"exited with status {status}: {_last_line(job.log)} (see {job.log})"
            )

    def environment(self, slot: int) -> Dict[str, str]:
        """Environment variables that give the child in a slot its threads and its GPU."""
        variables = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        environment = {name: str(self.threads) for name in variables}
        if self.gpus:
            environment["CUDA_VISIBLE_DEVICES"] = self.gpus[slot % len(self.gpus)]
        return environment

    def stop(self) -> None:
        """Kill all child processes, and start no more."""
        with self._lock:
            self._stopped = True
            for child in self._children:
                if child.poll() is None:
                    os.killpg(child.pid, signal.SIGKILL)  # safe: files on disk are complete


def _gpus() -> List[str]:
    """The GPUs that this process may use, in the format of CUDA_VISIBLE_DEVICES."""
    visible: Optional[str] = os.environ.get("CUDA_VISIBLE_DEVICES")
    n_gpus = torch.cuda.device_count()
    return visible.split(",")[:n_gpus] if visible else [str(i) for i in range(n_gpus)]


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "no output"

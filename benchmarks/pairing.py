"""How the benchmarks compare: two tasks alternate, and the result is the ratio of their times.

On a shared machine a single time means little, but the ratio of times measured next to each other
means a lot. So the two tasks alternate, and the result is the median, smallest and largest ratio of
the pairs, both for wall-clock time and for processor time (of all threads and finished children),
which other processes affect less. Memory is that of a fresh child process. Results are plain
dictionaries, ready for JSON.
"""

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Tuple, Union

import torch

Work = Callable[[], Any]
PACKAGES = ("torch", "numpy", "asteroid", "asteroid_xscheme", "museval", "norbert", "openunmix")


class Cost(NamedTuple):
    """Seconds that a work took: wall-clock time and processor time."""

    clock: float
    processor: float


class Alone(NamedTuple):
    """What a work took in its own process; memory in bytes.

    `growth` is the largest increase in memory during the work, without its inputs; `peak` is the
    largest memory of the process as a whole.
    """

    clock: float
    processor: float
    growth: int
    peak: int


def compare(ours: Work, peer: Work, repeats: int = 5, warmup: int = 1) -> Dict[str, Any]:
    """Time two works that alternate, and compute how many times as fast ours is.

    Args:
        ours, peer: Functions without arguments that do the whole work; results are dropped.
        repeats: Number of pairs to time.
        warmup: Number of pairs to run first without timing.

    Returns:
        "ratio" and "cpu_ratio" (peer / ours of each pair, in wall-clock and processor time),
        "ours_seconds" and "peer_seconds" (wall-clock), each a dictionary of "median", "min" and
        "max".
    """
    for _ in range(warmup):
        ours(), peer()
    return ratios([(_measure(ours), _measure(peer)) for _ in range(repeats)])


def repeat(work: Work, repeats: int = 5, warmup: int = 1) -> Dict[str, float]:
    """Wall-clock seconds of a work without a peer: "median", "min" and "max"."""
    for _ in range(warmup):
        work()
    return _summary(_measure(work).clock for _ in range(repeats))


def ratios(pairs: List[Tuple[Union[Cost, Alone], Union[Cost, Alone]]]) -> Dict[str, Any]:
    """What :func:`compare` returns, from pairs (ours, peer) that are already measured."""
    return {
        "ratio": _summary(theirs.clock / own.clock for own, theirs in pairs),
        "cpu_ratio": _summary(theirs.processor / own.processor for own, theirs in pairs),
        "ours_seconds": _summary(own.clock for own, _ in pairs),
        "peer_seconds": _summary(theirs.clock for _, theirs in pairs),
    }


def run_alone(prepare: Callable[..., Work], *args: Any) -> Alone:
    """Measure time and memory of a work that is done once, in a new child process. Linux only.

    Args:
        prepare: Importable function that makes the inputs and returns the work.
        *args: Its arguments; they must be picklable.

    Raises:
        BrokenProcessPool: If the child was killed, for example for lack of memory.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_do_alone, prepare, args, torch.get_num_threads()).result()


def peak_memory(prepare: Callable[..., Work], *args: Any) -> int:
    """The largest increase in bytes of a child process during a work; see `run_alone`.

    The child returns freed blocks to the system at once, which takes time, so that memory in use
    is measured and not memory that glibc keeps for later.
    """
    name = "MALLOC_MMAP_THRESHOLD_"  # read by a process when it starts
    before = os.environ.get(name)
    os.environ[name] = "65536"
    try:
        return run_alone(prepare, *args).growth
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before


def adam_step(model: torch.nn.Module, loss: Work) -> Work:
    """The work of a training step; gradients and Adam's state are already allocated.

    Args:
        model: What is trained.
        loss: Computes the loss of a batch with the model.
    """
    optimizer = torch.optim.Adam(model.parameters())
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()

    def step() -> None:
        optimizer.zero_grad(set_to_none=False)
        loss().backward()
        optimizer.step()

    return step


def environment() -> Dict[str, Any]:
    """Where a benchmark ran: threads, processor, load and versions."""
    return {
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "date": date.today().isoformat(),
        "processor": platform.processor() or platform.machine(),
        "versions": {"python": platform.python_version(), **_versions(PACKAGES)},
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that every benchmark has."""
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument(
        "--repeats", type=int, default=5, help="pairs to time (default: %(default)s)"
    )
    parser.add_argument(
        "--threads", type=int, default=2, help="threads of torch (default: %(default)s)"
    )


def show(row: Dict[str, Any]) -> None:
    """Print one row of a benchmark as one line."""
    print("  ".join(f"{name}={short(value)}" for name, value in row.items()), flush=True)


def save(rows: List[Dict[str, Any]], path: Optional[Path], note: str = "") -> None:
    """Write the rows of a benchmark and where it ran as JSON, if a path is given.

    Args:
        rows: The rows; none where the benchmark could not run.
        path: The file.
        note: A sentence for the page, such as why there are no rows.
    """
    if path is not None:
        result = {"environment": environment(), "rows": rows, "note": note}
        path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def short(value: Any) -> str:
    """A value of a row as text: median (smallest to largest), a number, yes or no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        median, smallest, largest = (_rounded(value[key], 3) for key in ("median", "min", "max"))
        return f"{median} ({smallest} to {largest})"
    return _rounded(value, 4) if isinstance(value, float) else str(value)


def _rounded(value: float, digits: int) -> str:
    return f"{value:.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"


def _measure(work: Work) -> Cost:
    clock, processor = time.perf_counter(), _processor_time()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return Cost(time.perf_counter() - clock, _processor_time() - processor)


def _processor_time() -> float:
    """Processor seconds of this process and its finished children."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def _summary(values: Iterable[float]) -> Dict[str, float]:
    values = list(values)
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def _versions(packages: Iterable[str]) -> Dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


def _do_alone(prepare: Callable[..., Work], args: tuple, threads: int) -> Alone:
    torch.set_num_threads(threads)
    work = prepare(*args)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the preparation
    before = _memory("VmRSS")
    cost = _measure(work)
    peak = _memory("VmHWM")
    return Alone(*cost, peak - before, peak)


def _memory(field: str) -> int:
    """A field of /proc/self/status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise RuntimeError(f"Expected {field} in /proc/self/status, where Linux accounts for memory.")

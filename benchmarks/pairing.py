"""How every benchmark here compares: two works in turn, in one process, by the ratio of times.

On a shared machine a time says little and a ratio of neighbouring times a lot. So the two works
alternate and the result is the median, smallest and largest ratio of the pairs, of the time on the
clock and of the processor's time (of all threads), which other processes disturb less; memory is
the growth of a fresh child process. Results are plain dictionaries, ready for JSON.
"""

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional

import torch

Work = Callable[[], Any]
PACKAGES = ("torch", "numpy", "asteroid", "asteroid_xscheme")


def compare(ours: Work, peer: Work, repeats: int = 5, warmup: int = 1) -> Dict[str, Any]:
    """Times of two works that alternate, and how many times as fast ours is.

    Args:
        ours, peer: Functions without arguments that do the whole work; results are dropped.
        repeats: Number of pairs that are timed.
        warmup: Number of pairs before them that are not.

    Returns:
        "ratio" and "cpu_ratio" (peer / ours of each pair, by the clock and by processor time),
        "ours_seconds" and "peer_seconds" by the clock, each a dictionary of "median", "min" and
        "max".
    """
    for _ in range(warmup):
        ours(), peer()
    pairs = [(_measure(ours), _measure(peer)) for _ in range(repeats)]
    return {
        "ratio": _summary(theirs.clock / own.clock for own, theirs in pairs),
        "cpu_ratio": _summary(theirs.processor / own.processor for own, theirs in pairs),
        "ours_seconds": _summary(own.clock for own, _ in pairs),
        "peer_seconds": _summary(theirs.clock for _, theirs in pairs),
    }


def peak_memory(prepare: Callable[..., Work], *args: Any) -> int:
    """Bytes by which a child process grows at most while it does a work, its inputs not counted.

    Linux only.

    Args:
        prepare: Importable function that makes the inputs and returns the work.
        *args: Its arguments; they must be picklable.
    """
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_grow, (prepare, args, torch.get_num_threads()))


def environment() -> Dict[str, Any]:
    """Where a benchmark ran: threads, processor, load and versions."""
    return {
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "processor": platform.processor() or platform.machine(),
        "versions": {"python": platform.python_version(), **_versions(PACKAGES)},
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that every benchmark has."""
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument("--repeats", type=int, default=5, help="pairs that are timed")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch")


def show(row: Dict[str, Any]) -> None:
    """Print one row of a benchmark as one line."""
    print("  ".join(f"{name}={short(value)}" for name, value in row.items()), flush=True)


def save(rows: List[Dict[str, Any]], path: Optional[Path]) -> None:
    """Write the rows of a benchmark and where it ran as JSON, if a path is given."""
    if path is not None:
        path.write_text(json.dumps({"environment": environment(), "rows": rows}, indent=2) + "\n")


def short(value: Any) -> str:
    """A figure of a row as text: median (smallest to largest), or four digits."""
    if isinstance(value, dict):
        return f"{value['median']:.3g} ({value['min']:.3g} to {value['max']:.3g})"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


class _Seconds(NamedTuple):
    clock: float
    processor: float


def _measure(work: Work) -> _Seconds:
    clock, processor = time.perf_counter(), time.process_time()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return _Seconds(time.perf_counter() - clock, time.process_time() - processor)


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


def _grow(prepare: Callable[..., Work], args: tuple, threads: int) -> int:
    torch.set_num_threads(threads)
    work = prepare(*args)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the preparation
    before = _memory("VmRSS")
    work()
    return _memory("VmHWM") - before


def _memory(field: str) -> int:
    """Bytes in a field of Linux's account of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise RuntimeError(f"Expected {field} in /proc/self/status, where Linux accounts for memory.")

"""A catalogue of short songs with the small model: songs per second, and whether memory grows.

`xscheme separate` separates a folder of noise songs of different lengths, in a process of its own,
and writes 16-bit stems. The limit, measured beside it, is separating the same waveforms in memory:
no files are read or written. Memory is the most that the process occupies in the second and in the
last tenth of its time.
"""

import argparse
import json
import tempfile
import threading
from pathlib import Path
from typing import Any, Dict, List, NamedTuple

import numpy as np
import soundfile
import torch

from .pairing import Work, add_arguments, memory, run_alone, save, show

RATE = 44100
_BETWEEN = 0.1  # seconds from one look at memory to the next


class Case(NamedTuple):
    """A run over the songs of a folder: how many at once, or 0 for waveforms in memory."""

    songs: Path
    jobs: int
    report: Path


def write_songs(folder: Path, n_songs: int, seconds: float) -> float:
    """Write songs of noise, from half as long to half as long again; returns all their seconds."""
    generator, total = np.random.default_rng(0), 0
    for k in range(n_songs):
        n_samples = int(seconds * RATE * generator.uniform(0.5, 1.5))
        noise = generator.normal(0, 0.05, (n_samples, 2)).astype(np.float32)
        soundfile.write(str(folder / f"song {k:04}.wav"), noise, RATE, "PCM_16")
        total += n_samples
    return total / RATE


def prepare(case: Case) -> Work:
    """The work of separating all songs; the command leaves the memory that it used in a file."""
    return (lambda: _command(case)) if case.jobs else _in_memory(case)


def _command(case: Case) -> None:
    from xscheme import main

    used, done = [], threading.Event()

    def watch() -> None:
        while not done.wait(_BETWEEN):
            used.append(memory("VmRSS"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    out = case.report.parent / f"stems of {case.jobs}"
    command = ["separate", str(case.songs), "-n", "small", "-d", "cpu", "-q"]
    status = main([*command, "-o", str(out), "-j", str(case.jobs)])
    done.set()
    watcher.join()
    if status:
        raise RuntimeError("The command failed; see its messages above.")
    case.report.write_text(json.dumps(used))


def _in_memory(case: Case) -> Work:
    from asteroid_xscheme import BridgedModel, Separator

    separator = Separator(BridgedModel.from_pretrained("small"), "cpu")
    read = [soundfile.read(file, dtype="float32")[0].T for file in sorted(case.songs.iterdir())]

    def work() -> None:
        for waveform in read:
            separator.separate(waveform, RATE)

    return work


def measure(options: argparse.Namespace, folder: Path) -> List[Dict[str, Any]]:
    """One row per number of songs at once."""
    songs, report = folder / "songs", folder / "memory.json"
    songs.mkdir()
    seconds = write_songs(songs, options.songs, options.seconds)
    limit = run_alone(prepare, Case(songs, 0, report)).clock
    rows = []
    for jobs in options.jobs:
        clock = run_alone(prepare, Case(songs, jobs, report)).clock
        used = json.loads(report.read_text())
        row = {"songs": options.songs, "at_once": jobs, "songs/s": options.songs / clock}
        row.update({"real_time": seconds / clock, "in_memory_songs/s": options.songs / limit})
        tenth = max(1, len(used) // 10)
        row["mb_early"] = max(used[tenth : 2 * tenth]) / 1e6
        row["mb_late"] = max(used[-tenth:]) / 1e6
        rows.append(row)
        show(row)
    return rows


def main() -> None:
    """Read the options, print a row per number of songs at once, write them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--songs", type=int, default=200, help="number of songs")
    parser.add_argument("--seconds", type=float, default=4.0, help="their mean length")
    parser.add_argument("--jobs", type=int, nargs="*", default=[1, 2], help="songs at once")
    add_arguments(parser)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(options, Path(folder))
    save(rows, options.json)


if __name__ == "__main__":
    main()

"""Our BSSEval v4 against museval's.

Each row scores four stereo sources of the given length at 44.1 kHz, in windows of one second.
Memory is what it takes to score a track from files whose estimates are already on disk.
"""

import argparse
import functools
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from asteroid_xscheme.audio import write_audio
from asteroid_xscheme.recipes.evaluation import BSS_EVAL, Waveforms

from .pairing import add_arguments, compare, peak_memory, save, show

SOURCES, RATE = ("bass", "drums", "other", "vocals"), 44100


def make_song(seconds: float) -> List[Waveforms]:
    """References and estimates of noise."""
    generator = np.random.default_rng(0)
    shape = (int(seconds * RATE), 2)
    references = {s: generator.standard_normal(shape, np.float32) for s in SOURCES}
    noises = {s: generator.standard_normal(shape, np.float32) for s in SOURCES}
    estimates = {s: references[s] + noises[s] for s in SOURCES}
    return [Waveforms.of_arrays(references), Waveforms.of_arrays(estimates)]


def prepare_files(seconds: float) -> Callable[[], Any]:
    """The work of scoring a song from files."""
    folder = Path(tempfile.mkdtemp())
    files = []
    for kind, waveforms in zip(("reference", "estimate"), make_song(seconds)):
        paths = {source: folder / f"{kind}-{source}.wav" for source in SOURCES}
        for path, waveform in zip(paths.values(), waveforms.read(0, waveforms.n_samples)):
            write_audio(path, torch.from_numpy(0.1 * waveform), RATE, "FLOAT")
        files.append(Waveforms.of_files(paths))
    return functools.partial(BSS_EVAL["fast"], *files, RATE)


def benchmark(lengths: List[float], repeats: int) -> List[Dict[str, Any]]:
    """One row per length."""
    rows = []
    for seconds in lengths:
        song = make_song(seconds)
        pair = (functools.partial(BSS_EVAL[name], *song, RATE) for name in ("fast", "museval"))
        times = compare(*pair, repeats, warmup=0)
        memory = peak_memory(prepare_files, seconds) / 2**20
        rows.append({"seconds": seconds, **times, "ours_MiB": memory})
        show(rows[-1])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, nargs="+", default=[30.0, 240.0], help="of songs")
    add_arguments(parser)
    parser.set_defaults(repeats=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with threadpool_limits(options.threads):
        rows = benchmark(options.seconds, options.repeats)
    save(rows, options.json)


if __name__ == "__main__":
    main()

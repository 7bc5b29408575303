"""`xscheme separate`: songs in, files of their sources out; one model for all songs.

A song that fails is reported in one line on the error stream and the others are done.
"""

import os
import signal
import sys
import threading
from argparse import ArgumentParser, Namespace
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Optional

#: options that are numbers, by their names in Python
_CHECKED = {
    "start": "start",
    "duration": "duration",
    "chunk_seconds": "segment",
    "overlap": "overlap",
    "wiener_iterations": "niter",
    "wiener_window": "wiener_win_len",
    "shifts": "shifts",
    "batch_size": "batch_size",
}


def add_arguments(commands) -> None:
    """Add the subcommand to those of the parser."""
    parser = commands.add_parser(
        "separate",
        help="separate songs into their sources",
        description="Separate songs of any length, rate, format and number of channels.",
    )
    _add_paths(parser)
    _add_sources(parser)
    _add_method(parser)
    _add_format(parser)
    _add_run(parser)
    parser.set_defaults(run=separate)


def _add_paths(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("input and output")
    group.add_argument("input", nargs="+", help="files, folders or glob patterns")
    group.add_argument(
        "-n",
        "--name",
        default="xumxl",
        help="model: a name, path, URL or id (default: %(default)s)",
    )
    group.add_argument("-o", "--out", default="separated", help="folder (default: %(default)s)")
    group.add_argument(
        "--filename",
        default="{track}/{stem}.{ext}",
        help="files below OUT/MODEL, of track, trackext, stem, ext (default: %(default)s)",
    )
    group.add_argument("--offline", action="store_true", help="only use weights already here")
    group.add_argument("--start", type=float, default=0.0, help="second to begin at")
    group.add_argument("--duration", type=float, help="seconds to separate (default: all)")
    existing = group.add_mutually_exclusive_group()
    existing.add_argument("--overwrite", action="store_true", help="replace files that exist")
    existing.add_argument("--skip-existing", action="store_true", help="leave finished songs out")


def _add_sources(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("sources")
    group.add_argument("--targets", nargs="+", metavar="SOURCE", help="only write these")
    group.add_argument("--two-stems", metavar="SOURCE", help="write SOURCE and no_SOURCE, the rest")
    group.add_argument("--residual", metavar="NAME", help="also write the mixture minus all others")


def _add_method(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("method")
    group.add_argument("-d", "--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
    group.add_argument(
        "--precision", choices=["float32", "bf16", "fp16"], default="float32", help="of networks"
    )
    group.add_argument("--segment", type=float, help="seconds of a chunk (default: the model's)")
    group.add_argument("--overlap", type=float, help="share of a chunk that overlaps the next")
    group.add_argument("--shifts", type=int, default=1, help="average over shifted songs")
    group.add_argument("--flip-channels", action="store_true", help="average over both orders")
    group.add_argument("--batch-size", type=int, help="chunks at once (default: what fits)")
    group.add_argument(
        "--wiener", choices=["em", "one_pass"], default="em", help="one_pass: that of D3Net's code"
    )
    group.add_argument(
        "--niter", type=int, help="Wiener iterations (default: 1, of models of waveforms 0)"
    )
    group.add_argument(
        "--wiener-win-len", type=int, default=300, help="frames of a Wiener window; 0: whole song"
    )
    group.add_argument("--softmask", action="store_true", help="start from a ratio mask")
    group.add_argument("--normalize", action="store_true", help="bring each song to a common level")


def _add_format(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("format of the stems (default: 16-bit WAV)")
    kind = group.add_mutually_exclusive_group()
    kind.add_argument("--int24", action="store_true", help="24-bit WAV")
    kind.add_argument("--float32", action="store_true", help="float WAV, never clips")
    kind.add_argument("--mp3", action="store_true", help="MP3")
    kind.add_argument("--flac", action="store_true", help="16-bit FLAC")
    group.add_argument("--mp3-bitrate", type=int, help="kbit/s (default: the highest, 320)")
    group.add_argument(
        "--clip-mode",
        choices=["rescale", "clamp", "none"],
        default="rescale",
        help="where stems exceed full scale: one gain for all of a song's stems, clip, or nothing",
    )


def _add_run(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("run")
    group.add_argument(
        "-j", "--jobs", type=int, help="processor threads, at most the cores (default: all)"
    )
    group.add_argument("--shard", metavar="I/N", help="only take the I-th of N parts of the songs")
    group.add_argument("--json", metavar="FILE", help="write a summary; - is standard output")
    group.add_argument("-q", "--quiet", action="store_true", help="no progress bar")


def separate(arguments: Namespace) -> int:
    """Run the command; 0 if every song was separated, else 1."""
    from .batch import Batch
    from .songs import find_songs, plan_jobs, take_shard
    from .summary import Summary

    _check(arguments)
    found, problems = find_songs(arguments.input, Path(arguments.out))
    kept = [song.path for song in found] + [Path(arguments.name)]
    with _stopped_by_signals(), Summary(arguments.json, arguments.name, kept) as summary:
        batch = Batch.of(arguments)
        kept += [summary.path] if summary.path else []
        jobs = take_shard(plan_jobs(found, batch.stem_paths, kept), arguments.shard)
        for name, error in problems:
            summary.add({"input": name, "error": error})
        for job in jobs:
            summary.add(batch.run(job))
    return 1 if summary.has_errors else 0


def _check(arguments: Namespace) -> None:
    """Raise before weights are fetched if an option cannot be; see to the number of threads."""
    from asteroid_xscheme.audio import MP3_BITRATES
    from asteroid_xscheme.separation import SeparationError, check_option, find_device
    from asteroid_xscheme.separation.stems import check_pattern
    from .songs import take_shard

    for option, name in _CHECKED.items():
        check_option(option, getattr(arguments, name), f"--{name.replace('_', '-')}")
    if arguments.mp3 and arguments.mp3_bitrate not in (None, *MP3_BITRATES):
        raise SeparationError(
            f"--mp3-bitrate: expected one of {', '.join(map(str, MP3_BITRATES))} kbit/s, "
            f"got {arguments.mp3_bitrate}."
        )
    check_pattern(arguments.filename)
    take_shard([], arguments.shard)
    _use_threads(arguments.jobs)
    find_device(arguments.device)


def _use_threads(jobs: Optional[int]) -> None:
    import torch
    from asteroid_xscheme.separation import SeparationError

    if jobs is None:
        return
    if jobs < 1:
        raise SeparationError(f"--jobs: expected 1 job or more, got {jobs}.")
    n_cores = os.cpu_count() or 1
    if jobs > n_cores:
        print(f"xscheme: --jobs {jobs}: here are {n_cores} cores, all are used", file=sys.stderr)
    torch.set_num_threads(min(jobs, n_cores))


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Within, the polite kill signal stops the program as Ctrl-C does, so that it tidies up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)

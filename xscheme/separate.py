"""`xscheme separate`: separate songs into files of their sources, loading the model once.

A song that fails is reported on one line of the error stream, and the others are still separated.
"""

import signal
import threading
from argparse import ArgumentParser, Namespace
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Iterator

#: numeric options: name in Python -> name on the command line
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
#: pairs of options that contradict each other, and why
_CONFLICTS = (
    ("flac", "float32", "FLAC stores integers; use --int24, or WAV"),
    ("mp3", "int24", "MP3 has no bit depth; choose one of the two"),
    ("mp3", "float32", "MP3 has no bit depth; choose one of the two"),
    ("stem", "int24", "a .stem.mp4 stores 16 bits; choose one of the two"),
    ("stem", "float32", "a .stem.mp4 stores 16 bits; choose one of the two"),
    ("stem", "targets", "a .stem.mp4 contains all sources; choose one of the two"),
    ("stem", "two_stems", "a .stem.mp4 contains all sources; choose one of the two"),
    ("stem", "page", "a page needs one file per source; choose one of the two"),
    ("stem", "residual", "a .stem.mp4 contains exactly four stems; choose one of the two"),
)


def add_arguments(commands) -> None:
    """Add the subcommand to the parser."""
    parser = commands.add_parser(
        "separate",
        help="separate songs into their sources",
        description="Separate songs of any length, sample rate, format and number of channels. The "
        "sources are written to OUT/MODEL/TRACK/SOURCE.wav.",
    )
    _add_paths(parser)
    _add_sources(parser)
    _add_method(parser)
    _add_format(parser)
    _add_run(parser)
    parser.set_defaults(run=separate)


def _add_paths(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("input and output")
    group.add_argument("input", nargs="+", help="songs: files, folders or glob patterns")
    group.add_argument(
        "-n",
        "--name",
        default="xumxl",
        help="model: a name that `xscheme models` lists, a path, a URL or a Hugging Face id "
        "(default: %(default)s)",
    )
    group.add_argument(
        "-o", "--out", default="separated", help="output folder (default: %(default)s)"
    )
    group.add_argument(
        "--filename",
        metavar="PATTERN",
        help="names of the files in OUT/MODEL, from {track}, {trackext} (suffix of the song), "
        "{stem} and {ext} (default: {track}/{stem}.{ext}; with --stem: {track}.{ext})",
    )
    group.add_argument(
        "--page",
        action="store_true",
        help="also write listen.html, a page with a mixer that plays the stems",
    )
    group.add_argument(
        "--offline", action="store_true", help="use only weights that are already on this machine"
    )
    group.add_argument(
        "--start",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="where in the song to start (default: 0)",
    )
    group.add_argument(
        "--duration",
        type=float,
        metavar="SECONDS",
        help="how much of the song to separate (default: all of it)",
    )
    existing = group.add_mutually_exclusive_group()
    existing.add_argument("--overwrite", action="store_true", help="replace existing files")
    existing.add_argument(
        "--skip-existing", action="store_true", help="skip songs whose files all exist"
    )


def _add_sources(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("sources")
    group.add_argument(
        "--targets", nargs="+", metavar="SOURCE", help="write only these sources (default: all)"
    )
    group.add_argument(
        "--two-stems",
        metavar="SOURCE",
        help="write two stems: SOURCE, and everything else as no_SOURCE",
    )
    group.add_argument(
        "--residual",
        metavar="NAME",
        help="also write a stem NAME: the mixture minus all other stems",
    )


def _add_method(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("method")
    add_chunk_options(group)
    group.add_argument(
        "--precision",
        choices=["float32", "bf16", "fp16", "auto"],
        default="float32",
        help="numeric precision of the networks; auto takes bf16 if the device has it in hardware "
        "and it hardly changes what such models estimate (default: %(default)s)",
    )
    group.add_argument(
        "--shifts",
        type=int,
        default=1,
        help="average over this many runs, each with the song shifted by up to half a second; "
        "multiplies the time (default: %(default)s)",
    )
    group.add_argument(
        "--batch-size",
        type=int,
        help="chunks to process at once (default: as many as fit in memory)",
    )
    add_wiener_options(group)
    group.add_argument(
        "--normalize",
        action="store_true",
        help="bring each song to a standard level before separation; the stems keep the song's",
    )


def add_chunk_options(group) -> None:
    """Add the options on device, chunks and channels to a group of arguments."""
    group.add_argument(
        "-d",
        "--device",
        default="auto",
        help="auto (a GPU if there is one), cpu, cuda, cuda:1 or mps (default: %(default)s)",
    )
    group.add_argument(
        "--segment",
        type=float,
        metavar="SECONDS",
        help="length of a chunk (default: the model's)",
    )
    group.add_argument(
        "--overlap",
        type=float,
        metavar="FRACTION",
        help="how much of a chunk overlaps the next, from 0 to less than 1 (default: the model's)",
    )
    group.add_argument(
        "--flip-channels",
        action="store_true",
        help="average over both channel orders; doubles the time",
    )


def add_wiener_options(group) -> None:
    """Add the options of the Wiener filter to a group of arguments."""
    group.add_argument(
        "--wiener",
        choices=["em", "one_pass"],
        default="em",
        help="Wiener filter; one_pass is that of D3Net's official code (default: %(default)s)",
    )
    group.add_argument(
        "--niter",
        type=int,
        help="iterations of the em filter; 0 turns it off (default: 1; 0 for waveform models)",
    )
    group.add_argument(
        "--wiener-win-len",
        type=int,
        default=300,
        metavar="FRAMES",
        help="frames that the Wiener filter processes at a time; 0: the whole song (default: "
        "%(default)s)",
    )
    group.add_argument(
        "--softmask",
        action="store_true",
        help="start the Wiener filter from ratio masks with the mixture's phase",
    )


def _add_format(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("format of the stems (default: 16-bit WAV)")
    samples = group.add_mutually_exclusive_group()
    samples.add_argument("--int24", action="store_true", help="write 24-bit WAV or FLAC")
    samples.add_argument(
        "--float32", action="store_true", help="write 32-bit float WAV, which never clips"
    )
    kind = group.add_mutually_exclusive_group()
    kind.add_argument("--mp3", action="store_true", help="write MP3")
    kind.add_argument("--flac", action="store_true", help="write FLAC")
    kind.add_argument(
        "--stem",
        action="store_true",
        help="write one .stem.mp4 per song (ALAC), for DJ software",
    )
    group.add_argument(
        "--mp3-bitrate",
        type=int,
        metavar="KBIT/S",
        help="bit rate of the MP3 files in kbit/s (default: the highest, up to 320)",
    )
    group.add_argument(
        "--clip-mode",
        choices=["rescale", "clamp", "none"],
        default="rescale",
        help="if a stem exceeds full scale: rescale lowers all stems of the song, clamp clips, "
        "none does nothing (default: %(default)s)",
    )


def _add_run(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("run")
    group.add_argument(
        "-j",
        "--jobs",
        type=int,
        default=1,
        help="songs to separate at once (default: %(default)s)",
    )
    group.add_argument(
        "--threads", type=int, help="CPU threads per song (default: all cores, shared by the songs)"
    )
    group.add_argument(
        "--shard",
        metavar="I/N",
        help="separate only part I of N of the songs, to share them among machines",
    )
    group.add_argument(
        "--json", metavar="FILE", help="write a JSON summary to FILE; - for standard output"
    )
    group.add_argument("-q", "--quiet", action="store_true", help="show no progress bar")


def separate(arguments: Namespace) -> int:
    """Run the command; return 0 if every song was separated, otherwise 1."""
    from .at_once import share_cores
    from .batch import Batch
    from .songs import find_songs, plan_jobs, take_shard
    from .summary import Summary

    _check(arguments)
    n_at_once = share_cores(arguments.jobs, arguments.threads)
    found, problems = find_songs(arguments.input, Path(arguments.out))
    kept = [song.path for song in found] + [Path(arguments.name)]
    with _stopped_by_signals(), Summary(arguments.json, arguments.name, kept) as summary:
        batch = Batch.of(arguments, n_at_once)
        kept += [summary.path] if summary.path else []
        jobs = take_shard(
            plan_jobs(found, batch.stem_paths, batch.page_path, kept), arguments.shard
        )
        for name, error in problems:
            summary.add({"input": name, "error": error})
        with closing(batch.run_all(jobs)) as results:
            for result in results:
                summary.add(result)
    return 1 if summary.has_errors else 0


def _check(arguments: Namespace) -> None:
    """Check the options before weights are downloaded."""
    from asteroid_xscheme.audio import MP3_BITRATES
    from asteroid_xscheme.separation import SeparationError, check_option, find_device
    from asteroid_xscheme.separation.stems import check_pattern
    from .songs import take_shard

    for option, name in _CHECKED.items():
        check_option(option, getattr(arguments, name), f"--{name.replace('_', '-')}")
    _check_format(arguments)
    if arguments.mp3_bitrate not in (None, *MP3_BITRATES):
        raise SeparationError(
            f"--mp3-bitrate: expected one of {', '.join(map(str, MP3_BITRATES))} kbit/s, "
            f"got {arguments.mp3_bitrate}."
        )
    check_pattern(arguments.filename or "")
    take_shard([], arguments.shard)
    find_device(arguments.device)


def _check_format(arguments: Namespace) -> None:
    from asteroid_xscheme.separation import SeparationError

    for one, other, reason in _CONFLICTS:
        if getattr(arguments, one) and getattr(arguments, other):
            raise SeparationError(f"--{one} and --{other.replace('_', '-')}: {reason}.")
    if arguments.mp3_bitrate is not None and not arguments.mp3:
        raise SeparationError("--mp3-bitrate: only MP3 files have one; add --mp3.")


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C inside the block, so that the program cleans up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)

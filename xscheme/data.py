"""`xscheme data prepare` and `xscheme data verify`: prepare and check folders of songs."""

import argparse
import math
from pathlib import Path
from typing import List, Optional, Sequence


def add_arguments(commands) -> None:
    """Add the subcommand to the parser."""
    parser = commands.add_parser(
        "data",
        help="prepare a data set for training, or check one",
        description="Prepare a data set for training, or check one.",
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _add_data_prepare(actions)
    _add_data_verify(actions)


def _add_data_prepare(actions) -> None:
    parser = actions.add_parser(
        "prepare",
        help="make a folder with the layout of MUSDB18-HQ",
        description="Make ROOT/{train,test}/TRACK/SOURCE.wav from your folder or zip, which is not "
        "changed, or from a download. To resume, run the same command again.",
    )
    parser.add_argument(
        "--dataset",
        choices=["musdb18", "musdb18hq", "demo", "folder"],
        default="musdb18",
        help="data set; demo: songs that this program renders; folder: your own songs (default: "
        "%(default)s)",
    )
    parser.add_argument("--root", required=True, help="folder to write to")
    parser.add_argument(
        "--source_dir", help="your copy of the data set, a folder or zip (default: download it)"
    )
    parser.add_argument(
        "--sample_rate",
        type=int,
        default=44100,
        help="sample rate of the files to write, in Hz (default: %(default)s)",
    )
    parser.add_argument(
        "-j", "--jobs", type=int, help="songs to convert at once (default: one per core, up to 4)"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="show no progress bar")
    parser.set_defaults(run=_data_prepare)


def _data_prepare(arguments: argparse.Namespace) -> int:
    from asteroid_xscheme.recipes.config import DataConfig
    from asteroid_xscheme.recipes.data import prepare

    _check(arguments.jobs, arguments.sample_rate)
    config = DataConfig(
        dataset=arguments.dataset,
        source_dir=arguments.source_dir or None,
        sample_rate=arguments.sample_rate,
    )
    root = prepare(config, arguments.root, jobs=arguments.jobs, progress=not arguments.quiet)
    print(_summary(root))
    return 0


def _add_data_verify(actions) -> None:
    parser = actions.add_parser(
        "verify",
        help="check a folder of songs and report what is wrong",
        description="Read every file of a folder that has the layout of MUSDB18-HQ, and report "
        "what is wrong and how to fix it. The exit status is 1 if there are problems.",
    )
    parser.add_argument("root", help="folder to check")
    parser.add_argument(
        "--sources",
        nargs="+",
        default=[],
        help="sources that each track should have (default: MUSDB18's; for a folder prepared from "
        "your own songs, all that occur in it)",
    )
    parser.add_argument(
        "--sample_rate",
        type=int,
        default=44100,
        help="sample rate that each file should have, in Hz (default: %(default)s)",
    )
    parser.add_argument(
        "--seq_dur",
        type=float,
        default=0.0,
        help="length of a training segment in seconds; shorter tracks are reported (default: 0)",
    )
    parser.add_argument(
        "-j", "--jobs", type=int, default=2, help="tracks to read at once (default: %(default)s)"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="show no progress bar")
    parser.set_defaults(run=_data_verify)


def _data_verify(arguments: argparse.Namespace) -> int:
    from asteroid_xscheme.recipes.data import verify

    _check(arguments.jobs, arguments.sample_rate, arguments.seq_dur)
    problems = verify(
        arguments.root,
        arguments.sources or _default_sources(Path(arguments.root).expanduser()),
        arguments.sample_rate,
        seq_dur=arguments.seq_dur,
        jobs=arguments.jobs,
        progress=not arguments.quiet,
    )
    for problem in problems:
        print(problem)
    found = f"{len(problems) or 'no'} problem{'' if len(problems) == 1 else 's'}"
    print(f"{arguments.root}: {found}")
    return 1 if problems else 0


def _summary(root: Path) -> str:
    """The number of tracks and the sources in each subset of a prepared folder, one per line."""
    from asteroid_xscheme.recipes.data.musdb import SUBSETS
    from asteroid_xscheme.recipes.data.tracks import track_folders

    lines = [f"Prepared {root}"]
    for subset in SUBSETS:
        if (root / subset).is_dir():
            folders = track_folders(root, subset)
            names = ", ".join(_names(folders))
            lines.append(f"  {subset}: {len(folders)} tracks with the sources {names}")
    return "\n".join(lines)


def _check(jobs: Optional[int], sample_rate: int, seq_dur: float = 0.0) -> None:
    from asteroid_xscheme.recipes.config import ConfigError

    if jobs is not None and jobs < 1:
        raise ConfigError(f"--jobs: expected 1 or more, got {jobs}.")
    if sample_rate < 1:
        raise ConfigError(f"--sample_rate: expected 1 Hz or more, got {sample_rate}.")
    if not 0 <= seq_dur < math.inf:
        raise ConfigError(f"--seq_dur: expected 0 seconds or more, finite, got {seq_dur}.")


def _default_sources(root: Path) -> List[str]:
    """The sources to look for: MUSDB18's, or all that occur in a folder of the user's own songs."""
    from asteroid_xscheme.recipes.config import SOURCES
    from asteroid_xscheme.recipes.data.musdb import SUBSETS
    from asteroid_xscheme.recipes.data.ownership import prepared_dataset
    from asteroid_xscheme.recipes.data.tracks import track_folders

    if prepared_dataset(root) != "folder":
        return SOURCES
    return _names(
        [folder for s in SUBSETS if (root / s).is_dir() for folder in track_folders(root, s)]
    )


def _names(folders: Sequence[Path]) -> List[str]:
    from asteroid_xscheme.recipes.data.tracks import source_files

    return sorted({name for folder in folders for name in source_files(folder)})

"""`xscheme evaluate`: score models and folders of estimates, and compare them in one report."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Dict, Iterator, List, Sequence, Tuple

from .separate import add_chunk_options, add_wiener_options

if TYPE_CHECKING:
    from asteroid_xscheme.recipes.data import Track
    from asteroid_xscheme.recipes.evaluation import Scoring, System, TestData

_NAMES = "systems.json"  # in the folder of results: by name, the system that has it
_SUBSETS = ("test", "real")  # folders to score on; only the demo data has "real"


def add_arguments(commands) -> None:
    """Add the subcommand to the parser."""
    parser = commands.add_parser(
        "evaluate",
        help="score models, or estimates from any program, on songs with known sources",
        description="Score models and folders of estimates on DATA/test, like stage 2 of a recipe. "
        "Writes results.md, all_metrics.csv and report/ to OUT, and JSON files for museval to "
        "OUT/scores/SYSTEM/test. If you run it again, it computes only what is missing or has "
        "changed.",
    )
    group = parser.add_argument_group("what to score")
    group.add_argument(
        "-n",
        "--name",
        nargs="+",
        default=[],
        help="models to score: names, files, URLs or Hugging Face ids",
    )
    group.add_argument(
        "--estimates",
        nargs="+",
        default=[],
        metavar="DIR",
        help="folders of estimates to score, with TRACK/SOURCE.wav or test/TRACK/SOURCE.wav",
    )
    group.add_argument(
        "--data", required=True, help="folder of the true sources, with test/TRACK/SOURCE.wav"
    )
    group.add_argument("-o", "--out", required=True, help="folder for the results")
    group.add_argument(
        "--offline", action="store_true", help="use only weights that are already on this machine"
    )
    _add_scoring(parser.add_argument_group("scores"))
    _add_separation(parser.add_argument_group("separation"))
    parser.set_defaults(run=evaluate)


def _add_scoring(group) -> None:
    group.add_argument(
        "--metrics",
        nargs="+",
        choices=["bsseval", "usdr", "si_sdr"],
        default=["bsseval"],
        help="bsseval: median over frames, then over songs; usdr, si_sdr: one figure per song, "
        "mean over songs (default: bsseval)",
    )
    group.add_argument(
        "--bss-eval",
        choices=["museval", "fast"],
        default="museval",
        help="implementation of BSSEval; fast gives the same scores in less time (default: "
        "%(default)s)",
    )
    group.add_argument(
        "--targets",
        nargs="+",
        default=[],
        metavar="SOURCE",
        help="score only these sources; accompaniment is the sum of all sources but the vocals "
        "(default: all sources)",
    )
    group.add_argument(
        "--no-baselines",
        action="store_true",
        help="do not score the mixture, the static filter and the oracle",
    )
    group.add_argument(
        "-j",
        "--jobs",
        type=int,
        default=2,
        help="processes to score tracks with (default: %(default)s)",
    )


def _add_separation(group) -> None:
    add_chunk_options(group)
    add_wiener_options(group)
    group.add_argument(
        "--no-estimates", action="store_true", help="do not keep the separated songs"
    )


def evaluate(arguments: argparse.Namespace) -> int:
    """Run the command, then print the tables and the path of the report."""
    from asteroid_xscheme.atomic import alone
    from asteroid_xscheme.recipes.evaluation import Scoring, ScoringError
    from asteroid_xscheme.recipes.evaluation import evaluate as evaluate_systems
    from asteroid_xscheme.recipes.report import write_report
    from asteroid_xscheme.separation import find_device

    if not arguments.name and not arguments.estimates:
        raise ScoringError(
            "There is nothing to score: name models with -n, or folders of estimates with "
            "--estimates."
        )
    if arguments.jobs < 1:
        raise ScoringError(f"--jobs: expected 1 or more, got {arguments.jobs}.")
    find_device(arguments.device)  # fail before anything is read
    out = Path(arguments.out)
    data, sources = _test_data(arguments, out)
    scoring = Scoring(
        sources, arguments.bss_eval, arguments.jobs, arguments.metrics, arguments.targets
    )
    with alone(out):
        names = name_systems(arguments.name, arguments.estimates, out)
        result = evaluate_systems(_systems(arguments, names, scoring, out), data, scoring, out)
        records = [out / "records" / name for name in names.values()]
        page = write_report(records, out / "report")
    print(f"{result.text}\n\nLook and listen: {page}")
    return 0


def name_systems(
    models: Sequence[str], folders: Sequence[str], out: Path
) -> Dict[Tuple[str, str], str]:
    """Name models and folders of estimates, and remember the names in the folder of results.

    A name is the last part of a path; all of it if the last part is taken, now or by an earlier
    command.

    Args:
        models: Names, paths or URLs of models.
        folders: Folders of estimates.
        out: Folder of the results, which is locked.

    Returns:
        The names by ("model" or "estimates", name as given).

    Raises:
        ScoringError: If the whole path is taken too.
    """
    from asteroid_xscheme.atomic import read_json, write_json
    from asteroid_xscheme.recipes.evaluation import BASELINES, ScoringError

    from .batch import model_folder

    file = out / _NAMES
    known: Dict[str, str] = read_json(file) if file.is_file() else {}
    named = {origin: name for name, origin in known.items()}
    given = [*(("model", name) for name in models), *(("estimates", each) for each in folders)]
    short = {key: model_folder(key[1]) for key in dict.fromkeys(given)}
    taken, names = [*short.values(), *BASELINES, *known], {}
    for key, name in short.items():
        origin, whole = _origin(*key, out), key[1].strip("/").replace("/", "_")
        names[key] = named.get(origin) or (name if taken.count(name) == 1 else whole)
        if known.setdefault(names[key], origin) != origin:
            raise ScoringError(
                f"{key[1]}: {out} has scores of another system named {names[key]} "
                f"({known[names[key]]}). Give a longer path, or choose another -o."
            )
    write_json(file, known)
    return names


def _origin(kind: str, given: str, out: Path) -> str:
    """What tells a system from others of the same name; paths are relative to `out`."""
    path = Path(given).expanduser()
    is_path = kind == "estimates" or path.exists()
    return f"{kind} {os.path.relpath(path, out) if is_path else given}"


def _test_data(arguments: argparse.Namespace, out: Path) -> Tuple[TestData, List[str]]:
    """The songs to score on, and the names of all sources that occur in them."""
    from asteroid_xscheme.recipes.config import SOURCES
    from asteroid_xscheme.recipes.data import find_tracks
    from asteroid_xscheme.recipes.data.ownership import prepared_dataset
    from asteroid_xscheme.recipes.data.tracks import source_files, track_folders
    from asteroid_xscheme.recipes.evaluation import TestData

    root = Path(arguments.data).expanduser()
    names = {name for folder in track_folders(root, "test") for name in source_files(folder)}
    sources = sorted(names, key=lambda s: (SOURCES.index(s) if s in SOURCES else len(SOURCES), s))

    def tracks(subset: str) -> List[Track]:
        return find_tracks(root, subset, sources) if (root / subset).is_dir() else []

    subsets = {subset: tracks(subset) for subset in _SUBSETS}
    baselines = None if arguments.no_baselines else out / "scores"
    train = tracks("train") if baselines else []
    if baselines and not train:
        print(f"The static filter is left out: it is fitted on train/, which {root} lacks.")
    name = prepared_dataset(root) or root.resolve().name
    there = {subset: found for subset, found in subsets.items() if found}
    return TestData(name, there, train, baselines), sources


def _systems(
    arguments: argparse.Namespace,
    names: Dict[Tuple[str, str], str],
    scoring: Scoring,
    out: Path,
) -> Iterator[System]:
    """Models, each loaded only when it is scored, then folders of estimates."""
    from asteroid_xscheme.recipes.evaluation import estimates_system

    for (kind, given), name in names.items():
        places = out / "scores" / name, out / "records" / name / "record.json"
        if kind == "model":
            yield _model(arguments, given, name, scoring, out)
        else:
            folder = Path(given).expanduser()
            yield estimates_system(name, folder, scoring, places, f"estimates in {given}")


def _model(
    arguments: argparse.Namespace, given: str, name: str, scoring: Scoring, out: Path
) -> System:
    from dataclasses import replace

    from asteroid_xscheme.models import BridgedModel
    from asteroid_xscheme.recipes.evaluation import ScoringError, model_system
    from asteroid_xscheme.recipes.identity import weights_hash
    from asteroid_xscheme.separation import Separator
    from asteroid_xscheme.weights import load_package

    package = load_package(given, offline=arguments.offline)
    options = {
        "chunk_seconds": arguments.segment,
        "overlap": arguments.overlap,
        "flip_channels": arguments.flip_channels,
        "wiener": arguments.wiener,
        "wiener_iterations": arguments.niter,
        "wiener_window": arguments.wiener_win_len or None,
        "softmask": arguments.softmask,
    }
    separator = Separator(BridgedModel.from_pretrained(package), arguments.device, **options)
    if not scoring.targets:
        targets = [source for source in separator.sources if source in scoring.sources]
        if not targets:
            raise ScoringError(
                f"{given} separates {', '.join(separator.sources)}, but the songs in "
                f"{arguments.data} have {', '.join(scoring.sources)}."
            )
        scoring = replace(scoring, targets=targets)
    options["wiener_iterations"] = separator.options.iterations
    conditions = f"Wiener iterations: {separator.options.iterations}; BSSEval: {scoring.bss_eval}"
    return model_system(
        name,
        separator,
        {"model": weights_hash(package), "separation": options},
        scoring,
        (out / "scores" / name, out / "estimates" / name, out / "records" / name / "record.json"),
        not arguments.no_estimates,
        conditions,
    )

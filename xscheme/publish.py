"""`xscheme publish`: weights as a folder to share, on Hugging Face if wanted."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional

if TYPE_CHECKING:
    from asteroid_xscheme.recipes.publication import Options, Record

_CONF, _BEST = "conf.yml", "best_model.pth"


def add_arguments(commands) -> None:
    """Add the subcommand to those of the parser."""
    parser = commands.add_parser(
        "publish",
        help="make a folder to share of weights, and put it on Hugging Face",
        description="Write OUT/publish_dir: the weights in the forms that Asteroid and Hugging "
        "Face read, and a card with the terms of the data and the scores, if they are of these "
        "weights. With --push it is uploaded.",
    )
    parser.add_argument("input", metavar="FOLDER_OR_FILE", help="a run's folder, or weights")
    parser.add_argument(
        "-o", "--out", help="folder of publish_dir (default: where the weights lie)"
    )
    parser.add_argument(
        "--scores",
        metavar="FILE",
        help="record.json of the scores: OUT/records/NAME/record.json of xscheme evaluate "
        "(default: that of the run)",
    )
    parser.add_argument(
        "--dataset",
        choices=["musdb18", "musdb18hq", "demo", "folder"],
        help="what the weights were trained on, where their file does not say",
    )
    parser.add_argument("--uploader", help="your name on the card (default: OWNER)")
    parser.add_argument(
        "--push",
        metavar="OWNER/NAME",
        help="upload to this repository of Hugging Face; log in before by `hf auth login`",
    )
    parser.set_defaults(run=publish)


def publish(arguments: Namespace) -> int:
    """Run the command."""
    from asteroid_xscheme.recipes.data import dataset_infos
    from asteroid_xscheme.recipes.publication import publish_scored
    from asteroid_xscheme.recipes.stages import best_model
    from asteroid_xscheme.weights import load_package, push_folder

    given = Path(arguments.input).expanduser()
    out = _out(arguments.out, given)
    is_run = (given / _BEST).is_file()
    package = load_package(best_model(given) if is_run else arguments.input)
    if arguments.dataset:
        package = {**dataset_infos(arguments.dataset), **package}
    record = _scores(arguments.scores, given if is_run else None, package)
    options = _options(given, package)
    folder = publish_scored(package, record, options, out, arguments.uploader, arguments.push)
    print(f"Ready to be shared: {folder}")
    if arguments.push:
        print(f"Uploaded to {push_folder(folder, arguments.push)}")
    return 0


def _out(wanted: Optional[str], given: Path) -> Path:
    """The folder to publish in; by default where the weights lie."""
    from asteroid_xscheme.recipes.publication import PublicationError

    beside = given if given.is_dir() else given.parent
    if wanted is None and beside.name == "publish_dir":
        raise PublicationError(
            f"{beside} is published already: name the run or the weights that it was made from, or "
            "another folder with -o."
        )
    return Path(wanted or beside).expanduser()


def _scores(path: Optional[str], run: Optional[Path], package: Dict[str, Any]) -> Optional[Record]:
    """The record of the scores that are named; or of the run's, where they are of its model."""
    from asteroid_xscheme.recipes.publication import PublicationError, read_scores
    from asteroid_xscheme.recipes.stages import RECORD

    if path is not None:
        return read_scores(Path(path).expanduser(), package)
    if run is None:
        print("No scores are published: --scores names them.")
        return None
    try:
        return read_scores(run / RECORD, package)
    except PublicationError as error:
        print(f"No scores are published. {error}")
        return None


def _options(given: Path, package: Dict[str, Any]) -> Options:
    """The options of the training: a run's conf.yml, or what the weights say."""
    from asteroid_xscheme.recipes.config import Config

    if (given / _CONF).is_file():
        return Config.from_yaml(given / _CONF).to_result_dict()
    return package.get("infos", {}).get("training_config", {})

"""`xscheme publish`: pack weights into a folder to share, and upload it to Hugging Face."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional

if TYPE_CHECKING:
    from asteroid_xscheme.recipes.publication import Options, Record

_CONF, _BEST = "conf.yml", "best_model.pth"


def add_arguments(commands) -> None:
    """Add the subcommand to the parser."""
    parser = commands.add_parser(
        "publish",
        help="pack weights into a folder to share, and upload it to Hugging Face",
        description="Write OUT/publish_dir: the weights in the formats that Asteroid and Hugging "
        "Face read, and a model card with the terms of the training data and the scores. Scores "
        "of any other weights are refused. --push uploads the folder.",
    )
    parser.add_argument(
        "input", metavar="FOLDER_OR_FILE", help="folder of a run, such as exp/train_..., or weights"
    )
    parser.add_argument(
        "-o", "--out", help="where to put publish_dir (default: beside the weights)"
    )
    parser.add_argument(
        "--scores",
        metavar="FILE",
        help="scores of these weights: OUT/records/NAME/record.json that xscheme evaluate wrote "
        "(default: those of the run)",
    )
    parser.add_argument(
        "--dataset",
        choices=["musdb18", "musdb18hq", "demo", "folder"],
        help="what the weights were trained on, if their file does not say",
    )
    parser.add_argument("--uploader", help="your name on the card (default: OWNER of --push)")
    parser.add_argument(
        "--push",
        metavar="OWNER/NAME",
        help="upload to this Hugging Face repository; log in first with `hf auth login`",
    )
    parser.set_defaults(run=publish)


def publish(arguments: Namespace) -> int:
    """Run the command, then print the folder and the address that it was uploaded to."""
    from asteroid_xscheme.atomic import alone
    from asteroid_xscheme.recipes.data import dataset_infos
    from asteroid_xscheme.recipes.publication import publish_scored
    from asteroid_xscheme.recipes.stages import best_model
    from asteroid_xscheme.weights import load_package

    given = Path(arguments.input).expanduser()
    out = _out(arguments.out, given)
    is_run = (given / _BEST).is_file()
    package = load_package(best_model(given) if is_run else arguments.input)
    if arguments.dataset:
        package = {**dataset_infos(arguments.dataset), **package}
    record = _scores(arguments.scores, given if is_run else None, package)
    options = _options(given, package)
    with alone(out):
        folder = publish_scored(package, record, options, out, arguments.uploader, arguments.push)
        print(f"Ready to share: {folder}")
        if arguments.push:
            from asteroid_xscheme.weights.hub import push_folder

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
    """The record that --scores names, or the run's if it is of the run's model; None without."""
    from asteroid_xscheme.recipes.publication import PublicationError, read_scores
    from asteroid_xscheme.recipes.stages import RECORD

    if path is not None:
        return read_scores(Path(path).expanduser(), package)
    if run is None:
        print("The folder will contain no scores; name them with --scores.")
        return None
    try:
        return read_scores(run / RECORD, package)
    except PublicationError as error:
        print(f"The folder will contain no scores. {error}")
        return None


def _options(given: Path, package: Dict[str, Any]) -> Options:
    """The options of the training: from a run's conf.yml, or else from the weights file."""
    from asteroid_xscheme.recipes.config import Config

    if (given / _CONF).is_file():
        return Config.from_yaml(given / _CONF).to_result_dict()
    return package.get("infos", {}).get("training_config", {})

"""`xscheme convert`: save weights of any format as .safetensors or as an Asteroid .pth."""

from argparse import Namespace
from pathlib import Path
from typing import Tuple

_SUFFIXES = (".safetensors", ".pth")


def add_arguments(commands) -> None:
    """Add the subcommand to the parser."""
    parser = commands.add_parser(
        "convert",
        help="save weights in another format",
        description="Save weights of any supported format, such as an official NNabla .h5, as "
        ".safetensors or as an Asteroid .pth. Code inside a weights file is never run.",
    )
    add_weights_arguments(parser, _SUFFIXES)
    parser.set_defaults(run=convert)


def add_weights_arguments(parser, suffixes: Tuple[str, ...]) -> None:
    """Add the arguments of a subcommand that reads weights and writes one file."""
    parser.add_argument("input", help="weights: a file, folder, name, URL or Hugging Face id")
    parser.add_argument(
        "output",
        nargs="?",
        help=f"file to write, {' or '.join(suffixes)} (default: NAME{suffixes[0]} in the current "
        "folder)",
    )
    parser.add_argument(
        "--offline", action="store_true", help="use only weights that are already on this machine"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")


def convert(arguments: Namespace) -> int:
    """Run the command and print the file that was written."""
    from asteroid_xscheme.weights import load_package, save_package

    path = check_target(arguments, _SUFFIXES)
    print(f"Wrote {save_package(load_package(arguments.input, offline=arguments.offline), path)}")
    return 0


def check_target(arguments: Namespace, suffixes: Tuple[str, ...]) -> Path:
    """The path of the file to write.

    Args:
        arguments: `input`, `output` and `overwrite` of the command line.
        suffixes: Suffixes that the file may have; the first is the default.

    Raises:
        CheckpointError: If the suffix is wrong, or the file exists and --overwrite is not given.
    """
    from asteroid_xscheme.weights import CheckpointError
    from .batch import model_folder

    default = f"{model_folder(arguments.input)}{suffixes[0]}"
    path = Path(arguments.output or default).expanduser()
    if path.suffix not in suffixes:
        expected = " or ".join(suffixes)
        raise CheckpointError(f"Cannot write {path}: its name must end in {expected}.")
    if path.exists() and not arguments.overwrite:
        raise CheckpointError(f"{path} already exists. Choose another name or add --overwrite.")
    return path

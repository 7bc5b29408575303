"""`xscheme convert`: save weights of any kind as safetensors or as a file for asteroid."""

from argparse import Namespace
from pathlib import Path
from typing import Tuple

_SUFFIXES = (".safetensors", ".pth")


def add_arguments(commands) -> None:
    """Add the subcommand to the parser."""
    parser = commands.add_parser(
        "convert",
        help="save weights in another format",
        description="Save any weights, such as an official NNabla .h5, as .safetensors, or as an "
        "asteroid .pth. Code in a file is never run.",
    )
    add_weights_arguments(parser, _SUFFIXES)
    parser.set_defaults(run=convert)


def add_weights_arguments(parser, suffixes: Tuple[str, ...]) -> None:
    """Add the arguments of a command that reads weights and writes a file."""
    parser.add_argument("input", help="weights: a file, folder, name, URL or Hugging Face id")
    parser.add_argument(
        "output",
        nargs="?",
        help=f"file to write, {' or '.join(suffixes)} (default: NAME{suffixes[0]} here)",
    )
    parser.add_argument(
        "--offline", action="store_true", help="use only weights that are already on this machine"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")


def convert(arguments: Namespace) -> int:
    """Run the command."""
    from asteroid_xscheme.weights import load_package, save_package

    path = check_target(arguments, _SUFFIXES)
    print(f"Wrote {save_package(load_package(arguments.input, offline=arguments.offline), path)}")
    return 0


def check_target(arguments: Namespace, suffixes: Tuple[str, ...]) -> Path:
    """The path of the file to write.

    Raises:
        CheckpointError: If it has another suffix, or exists and --overwrite is not given.
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

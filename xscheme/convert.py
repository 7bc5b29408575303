"""`xscheme convert`: save weights of any kind as a file for asteroid or as safetensors."""

from argparse import Namespace
from pathlib import Path


def add_arguments(commands) -> None:
    """Add the subcommand to the parser."""
    parser = commands.add_parser(
        "convert",
        help="save weights in another format",
        description="Save any weights, such as an official NNabla .h5, as an asteroid .pth or as "
        ".safetensors. Code in a file is never run.",
    )
    add_weights_arguments(parser, ".pth or .safetensors")
    parser.set_defaults(run=convert)


def add_weights_arguments(parser, suffixes: str) -> None:
    """Add the arguments of a command that reads weights and writes a file."""
    parser.add_argument("input", help="weights: a file, folder, name, URL or Hugging Face id")
    parser.add_argument("output", help=f"file to write, {suffixes}")
    parser.add_argument(
        "--offline", action="store_true", help="use only weights that are already on this machine"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")


def convert(arguments: Namespace) -> int:
    """Run the command."""
    from asteroid_xscheme.weights import load_package, save_package

    path = check_target(arguments, (".pth", ".safetensors"))
    print(f"Wrote {save_package(load_package(arguments.input, offline=arguments.offline), path)}")
    return 0


def check_target(arguments: Namespace, suffixes) -> Path:
    """The path of the file to write.

    Raises:
        CheckpointError: If it has another suffix, or exists and --overwrite is not given.
    """
    from asteroid_xscheme.weights import CheckpointError

    path = Path(arguments.output).expanduser()
    if path.suffix not in suffixes:
        expected = " or ".join(suffixes)
        raise CheckpointError(f"Cannot write {path}: its name must end in {expected}.")
    if path.exists() and not arguments.overwrite:
        raise CheckpointError(f"{path} already exists. Choose another name or add --overwrite.")
    return path

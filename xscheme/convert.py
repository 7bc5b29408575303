"""`xscheme convert`: weights of any kind as a file of asteroid's or as safetensors."""

from argparse import Namespace
from pathlib import Path


def add_arguments(commands) -> None:
    """Add the subcommand to those of the parser."""
    parser = commands.add_parser(
        "convert",
        help="write weights in another format",
        description="Write any weights, such as an official .h5 of NNabla, as .pth of asteroid or "
        ".safetensors. No code in a file is run.",
    )
    add_weights_arguments(parser, ".pth or .safetensors")
    parser.set_defaults(run=convert)


def add_weights_arguments(parser, suffixes: str) -> None:
    """Arguments of a command that reads weights and writes a file."""
    parser.add_argument("input", help="file, folder, name, URL or Hugging Face id of weights")
    parser.add_argument("output", help=f"file to write, {suffixes}")
    parser.add_argument("--offline", action="store_true", help="only use weights already here")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")


def convert(arguments: Namespace) -> int:
    """Run the command."""
    from asteroid_xscheme.weights import load_package, save_package

    path = check_target(arguments, (".pth", ".safetensors"))
    print(f"Wrote {save_package(load_package(arguments.input, offline=arguments.offline), path)}")
    return 0


def check_target(arguments: Namespace, suffixes) -> Path:
    """The file to write.

    Raises:
        CheckpointError: If its name has another suffix, or it exists and may not be replaced.
    """
    from asteroid_xscheme.weights import CheckpointError

    path = Path(arguments.output).expanduser()
    if path.suffix not in suffixes:
        expected = " or ".join(suffixes)
        raise CheckpointError(f"Cannot write {path}: expected a name in {expected}.")
    if path.exists() and not arguments.overwrite:
        raise CheckpointError(f"{path} exists. Choose another name or add --overwrite.")
    return path

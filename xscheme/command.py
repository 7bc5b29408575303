"""The `xscheme` command: collect the subcommands, parse the command line and run one of them.

torch and numpy are not imported until a subcommand runs, so that --help answers at once.
"""

import argparse
import os
import sys
import traceback
from typing import Optional, Sequence

from . import (
    ablate,
    convert,
    data,
    env,
    evaluate,
    export,
    listen,
    models,
    points,
    publish,
    report,
    separate,
)
from .messages import message_of, printable

#: libraries read these variables when they start, here or in child processes (docs/choices.md)
_ENVIRONMENT = {
    "GOMP_SPINCOUNT": "2000",  # idle threads soon stop spinning
    "MALLOC_MMAP_THRESHOLD_": "1073741824",  # keep freed memory for the next step
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
}


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run a command and return its exit status, 0 on success.

    Args:
        argv: Arguments without the program's name; None means those of this process.
    """
    parser = _parser()
    arguments, others = parser.parse_known_args(argv)
    if others and "options" not in arguments:  # `ablate` passes the options of a conf.yml on
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    arguments.options = others
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        return arguments.run(arguments) or 0
    except KeyboardInterrupt:
        print("xscheme: stopped", file=sys.stderr)
        return 130
    except Exception as error:
        _tell(error)
        return 1


def _tell(error: Exception) -> None:
    """Print why a command failed: a mistake in one line, a bug with its traceback."""
    from asteroid_xscheme.errors import is_mistake, request_report

    if is_mistake(error):
        lines = [printable(line) for line in message_of(error).splitlines()]  # one per song
    else:
        traceback.print_exception(error)
        lines = [printable(request_report(error))]
    print("xscheme:", "\n".join(lines), file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="xscheme",
        description="Separate music into its sources with bridged networks (X-UMX, X-D3Net, "
        "X-Conv-TasNet), and evaluate and compare such models.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {env.own_version()}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    modules = separate, listen, evaluate, publish, models, convert, export, data, ablate, points
    for module in (*modules, report, env):
        module.add_arguments(commands)
    return parser

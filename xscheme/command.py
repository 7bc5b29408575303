"""The `xscheme` command: one module per subcommand holds its arguments and what it does.

Neither torch nor numpy is imported until a command runs, so that --help answers at once.
"""

import argparse
import os
import sys
from typing import Optional, Sequence

from . import ablate, convert, data, evaluate, export, models, points, report, separate
from .messages import message_of, printable

#: read by libraries as they start, here or in child processes; see docs/choices.md
_ENVIRONMENT = {
    "GOMP_SPINCOUNT": "2000",  # threads wait for each other without blocking the processor
    "MALLOC_MMAP_THRESHOLD_": "1073741824",  # freed memory is kept for the next step
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
}


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run a command; its exit status, 0 if all went well.

    Args:
        argv: Arguments without the program's name, by default the process's.
    """
    parser = _parser()
    arguments, others = parser.parse_known_args(argv)
    if others and "options" not in arguments:  # where a command leaves options to a conf.yml
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    arguments.options = others
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        return arguments.run(arguments) or 0
    except KeyboardInterrupt:
        print("xscheme: stopped", file=sys.stderr)
        return 130
    except (ValueError, OSError) as error:  # the errors of our rooms are ValueErrors
        lines = [printable(line) for line in message_of(error).splitlines()]  # one per song
        print("xscheme:", "\n".join(lines), file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="xscheme",
        description="Music source separation with bridged networks (X-UMX, X-D3Net, X-Conv-TasNet)",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in (separate, evaluate, models, convert, export, data, ablate, points, report):
        module.add_arguments(commands)
    return parser

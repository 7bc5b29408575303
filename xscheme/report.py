"""`xscheme report`: write a page with the scores and sounds of one or more evaluated runs."""

import os
from argparse import Namespace
from contextlib import ExitStack
from pathlib import Path


def add_arguments(commands) -> None:
    """Add the subcommand to the parser."""
    parser = commands.add_parser(
        "report",
        help="write a page with the scores and sounds of evaluated runs",
        description="Write report.html with scores, box plots, losses, sounds and spectrograms, "
        "and the scores as scores.md and scores.csv. The page works offline.",
    )
    parser.add_argument(
        "folder",
        nargs="+",
        help="folders of evaluated runs, such as exp/train_..., or of xscheme evaluate",
    )
    parser.add_argument(
        "-o",
        "--out",
        help="folder for the page (default: RUN/report for one run, ./report for several)",
    )
    parser.set_defaults(run=report)


def report(arguments: Namespace) -> int:
    """Run the command, then print the table and the path of the page."""
    from asteroid_xscheme.atomic import LOCK, alone
    from asteroid_xscheme.recipes.report import write_report

    runs = [Path(run) for run in arguments.folder]
    default = runs[0] / "report" if len(runs) == 1 else Path("report")
    out = Path(arguments.out) if arguments.out else default
    with ExitStack() as held:
        for run in {run.resolve() for run in runs} - {out.resolve()}:
            if os.access(run / LOCK, os.W_OK):  # otherwise nobody is evaluating in it
                held.enter_context(alone(run))
        page = write_report(runs, out)
    table = page.with_name("scores.md").read_text(encoding="utf-8")
    print(f"{table}\nLook and listen: {page}")
    return 0

"""`xscheme report`: one page to look at and listen to, of one evaluated run or of several."""

from argparse import Namespace
from pathlib import Path


def add_arguments(commands) -> None:
    """Add the subcommand to those of the parser."""
    parser = commands.add_parser(
        "report",
        help="write a page to look at and listen to, of one evaluated run or several",
        description="Write report.html with scores, box plots, losses, sounds and spectrograms, "
        "and its table as scores.md and scores.csv. It needs no network.",
    )
    parser.add_argument(
        "folder", nargs="+", help="folders of evaluated runs, such as exp/train_..."
    )
    parser.add_argument(
        "-o", "--out", help="folder (default: RUN/report of one run, ./report of several)"
    )
    parser.set_defaults(run=report)


def report(arguments: Namespace) -> int:
    """Run the command: write the page, print its table and where it is."""
    from asteroid_xscheme.recipes.report import write_report

    runs = [Path(run) for run in arguments.folder]
    default = runs[0] / "report" if len(runs) == 1 else Path("report")
    page = write_report(runs, Path(arguments.out) if arguments.out else default)
    table = page.with_name("scores.md").read_text(encoding="utf-8")
    print(f"{table}\nLook and listen: {page}")
    return 0

"""`xscheme ablate`: whether bridges, MDL and CL help, in one table."""

import argparse


def add_arguments(commands) -> None:
    """Add the subcommand to the parser."""
    parser = commands.add_parser(
        "ablate",
        help="compare trainings with and without bridges, MDL and CL",
        description="Train and score one model with and without bridges, MDL and CL, with several "
        "seeds, and write a table that shows which differences are significant. Run it again to "
        "resume; finished work is never repeated. You can also give any option of the conf.yml, "
        "such as --epochs 10.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--conf",
        default="egs/musdb18/X-UMX/local/conf_demo.yml",
        help="conf.yml with the options of all trainings (default: %(default)s)",
    )
    parser.add_argument(
        "--exp_dir", default="exp/ablation", help="folder for the results (default: %(default)s)"
    )
    parser.add_argument(
        "--seeds",
        nargs="+",
        type=int,
        default=[1, 2, 3],
        help="seeds of every row (default: 1 2 3)",
    )
    parser.add_argument(
        "--rows",
        nargs="+",
        default=[],
        metavar="ROW",
        help="of none, MDL, CL, bridge, MDL+CL, MDL+bridge, CL+bridge and all (default: all)",
    )
    parser.add_argument(
        "--points",
        nargs="*",
        metavar="POINT",
        help="compare bridging points: no point, each alone, all of them (default: the model's "
        "points); with --rows, both in one table",
    )
    parser.add_argument(
        "-j",
        "--jobs",
        type=int,
        help="trainings at a time (default: one per GPU, or up to 4 cores)",
    )
    parser.set_defaults(run=ablate, options=[])


def ablate(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from .grid import run_ablation

    print(
        run_ablation(
            arguments.conf,
            arguments.exp_dir,
            arguments.seeds,
            arguments.rows,
            arguments.points,
            arguments.jobs,
            arguments.options,
        )
    )
    return 0

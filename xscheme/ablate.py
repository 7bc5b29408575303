"""`xscheme ablate`: test whether bridges, MDL and CL help, and write one table."""

import argparse


def add_arguments(commands) -> None:
    """Add the subcommand to the parser."""
    parser = commands.add_parser(
        "ablate",
        help="compare trainings with and without bridges, MDL and CL",
        description="Train and score one model with and without bridges, MDL and CL, with several "
        "seeds, and write a table that shows which differences are significant. To resume, run the "
        "same command again; finished work is not repeated. Options of the conf.yml work too, such "
        "as --epochs 10.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--conf",
        default="egs/musdb18/X-UMX/local/conf_demo.yml",
        help="conf.yml with the options that all trainings share (default: %(default)s)",
    )
    parser.add_argument(
        "--exp_dir", default="exp/ablation", help="folder for the results (default: %(default)s)"
    )
    parser.add_argument(
        "--seeds",
        nargs="+",
        type=int,
        default=[1, 2, 3],
        help="seeds to train each row with (default: 1 2 3)",
    )
    parser.add_argument(
        "--rows",
        nargs="+",
        default=[],
        metavar="ROW",
        help="rows to train: none, MDL, CL, bridge, MDL+CL, MDL+bridge, CL+bridge, all (default: "
        "every row; no row with --points)",
    )
    parser.add_argument(
        "--points",
        nargs="*",
        metavar="POINT",
        help="compare bridging points: none of them, each alone, and all together (default: the "
        "model's points); add --rows to have both in one table",
    )
    parser.add_argument(
        "-j",
        "--jobs",
        type=int,
        help="trainings to run at once (default: one per GPU; without GPUs, one per core, up to 4)",
    )
    parser.set_defaults(run=ablate, options=[])


def ablate(arguments: argparse.Namespace) -> int:
    """Run the command and print the table."""
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

"""`xscheme ablate`: what bridges, MDL and CL bring, in one table."""

import argparse


def add_arguments(commands) -> None:
    """Add the subcommand to those of the parser."""
    parser = commands.add_parser(
        "ablate",
        help="train and compare with and without bridges and each loss",
        description="Train and score one model with and without bridges, MDL and CL, with several "
        "seeds, and write a table that says which differences are significant. Started again, it "
        "continues; what is finished is never repeated. Every option of the conf.yml can be given "
        "as well, such as --epochs 10.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--conf",
        default="egs/musdb18/X-UMX/local/conf_demo.yml",
        help="options of all trainings (default: %(default)s)",
    )
    parser.add_argument(
        "--exp_dir", default="exp/ablation", help="folder to fill (default: %(default)s)"
    )
    parser.add_argument(
        "--seeds", nargs="+", type=int, default=[1, 2, 3], help="seeds (default: 1 2 3)"
    )
    parser.add_argument(
        "--rows",
        nargs="+",
        default=[],
        metavar="ROW",
        help="of none, MDL, CL, bridge, MDL+CL, MDL+bridge, CL+bridge, all (default: all eight)",
    )
    parser.add_argument(
        "--points",
        nargs="*",
        metavar="POINT",
        help="compare bridging points: none, each alone, all (default: the model's own); "
        "with --rows, both in one table",
    )
    parser.add_argument(
        "-j", "--jobs", type=int, help="cells at a time (default: GPUs, else up to 4 cores)"
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

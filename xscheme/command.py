"""The `xscheme` command: arguments and messages; what is done is done by xscheme.

Nothing but argparse is imported until a command runs, so that --help answers at once.
"""

import argparse
import os
import sys
from typing import Optional, Sequence

from . import evaluate, points, separate
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
        print(f"xscheme: {printable(message_of(error))}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="xscheme",
        description="Music source separation with bridged networks (X-UMX, X-D3Net, X-Conv-TasNet)",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    separate.add_arguments(commands)
    evaluate.add_arguments(commands)
    _add_models(commands)
    _add_convert(commands)
    _add_export(commands)
    _add_data(commands)
    _add_ablate(commands)
    points.add_arguments(commands)
    _add_report(commands)
    return parser


def _add_models(commands) -> None:
    parser = commands.add_parser(
        "models",
        help="list the published weights",
        description="List the published weights: sources, size, scores, licence, whether cached.",
    )
    parser.add_argument("name", nargs="*", help="tell all about these (default: a table of all)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_models)


def _models(arguments: argparse.Namespace) -> int:
    from xscheme.models import list_models

    print(list_models(arguments.name, as_json=arguments.json))
    return 0


def _add_convert(commands) -> None:
    parser = commands.add_parser(
        "convert",
        help="write weights in another format",
        description="Write any weights, such as an official .h5 of NNabla, as .pth of asteroid or "
        ".safetensors. No code of a file is run.",
    )
    parser.add_argument("input", help="file, folder, name, URL or Hugging Face id of weights")
    parser.add_argument("output", help="file to write, .pth or .safetensors")
    parser.add_argument("--offline", action="store_true", help="only use weights already here")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")
    parser.set_defaults(run=_convert)


def _convert(arguments: argparse.Namespace) -> int:
    from xscheme.models import convert

    path = convert(arguments.input, arguments.output, arguments.offline, arguments.overwrite)
    print(f"Wrote {path}")
    return 0


def _add_export(commands) -> None:
    parser = commands.add_parser(
        "export",
        help="write the networks of weights as ONNX",
        description="Write the networks of a model of spectrograms as an ONNX file, magnitudes in "
        "and magnitudes out, for programs that have their own STFT.",
    )
    parser.add_argument("input", help="file, folder, name, URL or Hugging Face id of weights")
    parser.add_argument("output", help="file to write, .onnx")
    parser.add_argument("--offline", action="store_true", help="only use weights already here")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")
    parser.set_defaults(run=_export)


def _export(arguments: argparse.Namespace) -> int:
    from xscheme.export import export

    print(export(arguments.input, arguments.output, arguments.offline, arguments.overwrite))
    return 0


def _add_data(commands) -> None:
    parser = commands.add_parser(
        "data",
        help="prepare a data set for training, or verify one",
        description="Prepare a data set for training, or verify one.",
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _add_data_prepare(actions)
    _add_data_verify(actions)


def _add_data_prepare(actions) -> None:
    parser = actions.add_parser(
        "prepare",
        help="make a folder in the layout of MUSDB18-HQ",
        description="Make ROOT/{train,test}/TRACK/SOURCE.wav from a folder or zip, which is only "
        "read, or from a download. Started again, it continues with what is missing.",
    )
    parser.add_argument(
        "--dataset",
        choices=["musdb18", "musdb18hq", "demo", "folder"],
        default="musdb18",
        help="demo is rendered here, folder is your own songs (default: %(default)s)",
    )
    parser.add_argument("--root", required=True, help="folder to make")
    parser.add_argument("--source_dir", help="your folder or zip (default: download)")
    parser.add_argument("--sample_rate", type=int, default=44100, help="Hz (default: %(default)s)")
    parser.add_argument("-j", "--jobs", type=int, help="songs at a time (default: up to 4)")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=_data_prepare)


def _data_prepare(arguments: argparse.Namespace) -> int:
    from xscheme.data import prepare_data

    summary = prepare_data(
        arguments.dataset,
        arguments.root,
        arguments.source_dir,
        arguments.sample_rate,
        arguments.jobs,
        progress=not arguments.quiet,
    )
    print(summary)
    return 0


def _add_data_verify(actions) -> None:
    parser = actions.add_parser(
        "verify",
        help="say what is wrong with a folder of songs",
        description="Read every file of a folder in the layout of MUSDB18-HQ and name what is "
        "wrong, with the remedy. Ends with status 1 if there is anything.",
    )
    parser.add_argument("root", help="the folder")
    parser.add_argument("--sources", nargs="+", default=[], help="sources that tracks should have")
    parser.add_argument("--sample_rate", type=int, default=44100, help="Hz (default: %(default)s)")
    parser.add_argument("--seq_dur", type=float, default=0.0, help="seconds of a training segment")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="tracks read at a time")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=_data_verify)


def _data_verify(arguments: argparse.Namespace) -> int:
    from xscheme.data import verify_data

    problems = verify_data(
        arguments.root,
        arguments.sources,
        arguments.sample_rate,
        arguments.seq_dur,
        arguments.jobs,
        progress=not arguments.quiet,
    )
    for problem in problems:
        print(problem)
    print(f"{arguments.root}: {f'{len(problems)} problems' if problems else 'no problems'}")
    return 1 if problems else 0


def _add_ablate(commands) -> None:
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
    parser.set_defaults(run=_ablate, options=[])


def _ablate(arguments: argparse.Namespace) -> int:
    from xscheme.ablate import run_ablation

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


def _add_report(commands) -> None:
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
    parser.set_defaults(run=_report)


def _report(arguments: argparse.Namespace) -> int:
    from xscheme.report import report

    print(report(arguments.folder, arguments.out))
    return 0


if __name__ == "__main__":
    sys.exit(main())

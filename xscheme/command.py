"""The `xscheme` command: arguments and messages; what is done is done by xscheme.

Nothing but argparse is imported until a command runs, so that --help answers at once.
"""

import argparse
import os
import sys
from typing import Optional, Sequence

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
        print(f"xscheme: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="xscheme",
        description="Music source separation with bridged networks (X-UMX, X-D3Net, X-Conv-TasNet)",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_separate(commands)
    _add_models(commands)
    _add_convert(commands)
    _add_export(commands)
    _add_data(commands)
    _add_ablate(commands)
    _add_report(commands)
    return parser


def _add_separate(commands) -> None:
    parser = commands.add_parser(
        "separate",
        help="separate songs into their sources",
        description="Separate songs of any length, rate, format and number of channels.",
    )
    _add_separate_paths(parser)
    _add_separate_sources(parser)
    _add_separate_method(parser)
    _add_separate_format(parser)
    _add_separate_run(parser)
    parser.set_defaults(run=_separate)


def _separate(arguments: argparse.Namespace) -> int:
    from xscheme.separate import separate

    return separate(arguments)


def _add_separate_paths(parser) -> None:
    group = parser.add_argument_group("input and output")
    group.add_argument("input", nargs="+", help="files, folders or glob patterns")
    group.add_argument(
        "-n",
        "--name",
        default="xumxl",
        help="model: a name, path, URL or id (default: %(default)s)",
    )
    group.add_argument("-o", "--out", default="separated", help="folder (default: %(default)s)")
    group.add_argument(
        "--filename",
        default="{track}/{stem}.{ext}",
        help="files below OUT/MODEL, of track, trackext, stem, ext (default: %(default)s)",
    )
    group.add_argument("--offline", action="store_true", help="only use weights already here")
    group.add_argument("--start", type=float, default=0.0, help="second to begin at")
    group.add_argument("--duration", type=float, help="seconds to separate (default: all)")
    existing = group.add_mutually_exclusive_group()
    existing.add_argument("--overwrite", action="store_true", help="replace files that exist")
    existing.add_argument("--skip-existing", action="store_true", help="leave finished songs out")


def _add_separate_sources(parser) -> None:
    group = parser.add_argument_group("sources")
    group.add_argument("--targets", nargs="+", metavar="SOURCE", help="only write these")
    group.add_argument("--two-stems", metavar="SOURCE", help="write SOURCE and no_SOURCE, the rest")
    group.add_argument("--residual", metavar="NAME", help="also write the mixture minus all others")


def _add_separate_method(parser) -> None:
    group = parser.add_argument_group("method")
    group.add_argument("-d", "--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
    group.add_argument(
        "--precision", choices=["float32", "bf16", "fp16"], default="float32", help="of networks"
    )
    group.add_argument("--segment", type=float, help="seconds of a chunk (default: the model's)")
    group.add_argument("--overlap", type=float, help="share of a chunk that overlaps the next")
    group.add_argument("--shifts", type=int, default=1, help="average over shifted songs")
    group.add_argument("--flip-channels", action="store_true", help="average over both orders")
    group.add_argument("--batch-size", type=int, help="chunks at once (default: what fits)")
    group.add_argument(
        "--wiener", choices=["em", "one_pass"], default="em", help="one_pass: that of D3Net's code"
    )
    group.add_argument(
        "--niter", type=int, help="Wiener iterations (default: 1, of models of waveforms 0)"
    )
    group.add_argument(
        "--wiener-win-len", type=int, default=300, help="frames of a Wiener window; 0: whole song"
    )
    group.add_argument("--softmask", action="store_true", help="start from a ratio mask")
    group.add_argument("--normalize", action="store_true", help="bring each song to a common level")


def _add_separate_format(parser) -> None:
    group = parser.add_argument_group("format of the stems (default: 16-bit WAV)")
    kind = group.add_mutually_exclusive_group()
    kind.add_argument("--int24", action="store_true", help="24-bit WAV")
    kind.add_argument("--float32", action="store_true", help="float WAV, never clips")
    kind.add_argument("--mp3", action="store_true", help="MP3")
    kind.add_argument("--flac", action="store_true", help="16-bit FLAC")
    group.add_argument("--mp3-bitrate", type=int, default=320, help="kbit/s (default: 320)")
    group.add_argument(
        "--clip-mode",
        choices=["rescale", "clamp", "none"],
        default="rescale",
        help="where stems exceed full scale: one gain for all of a song's stems, clip, or nothing",
    )


def _add_separate_run(parser) -> None:
    group = parser.add_argument_group("run")
    group.add_argument("-j", "--jobs", type=int, help="processor threads (default: all cores)")
    group.add_argument("--shard", metavar="I/N", help="only take the I-th of N parts of the songs")
    group.add_argument("--json", metavar="FILE", help="write a summary; - is standard output")
    group.add_argument("-q", "--quiet", action="store_true", help="no progress bar")


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

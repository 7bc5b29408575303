"""`xscheme export`: save the networks of a spectrogram model as an ONNX file."""

from argparse import Namespace

from .convert import add_weights_arguments, check_target

_SUFFIXES = (".onnx",)


def add_arguments(commands) -> None:
    """Add the subcommand to the parser."""
    parser = commands.add_parser(
        "export",
        help="save the networks of a model as ONNX",
        description="Save the networks of a spectrogram model as an ONNX file that maps magnitudes "
        "to magnitudes, for programs that compute the STFT themselves.",
    )
    add_weights_arguments(parser, _SUFFIXES)
    parser.set_defaults(run=export)


def export(arguments: Namespace) -> int:
    """Run the command, then describe the input and output of the file."""
    from asteroid_xscheme.export import export_onnx
    from asteroid_xscheme.models import BridgedModel

    path = check_target(arguments, _SUFFIXES)
    model = BridgedModel.from_pretrained(arguments.input, offline=arguments.offline)
    export_onnx(model, path)
    n_bins = model.n_fft // 2 + 1
    power = "" if model.spec_power == 1 else f" to the power of {model.spec_power}"
    print(
        f"Wrote {path}: magnitudes{power} (frames, chunks, {model.nb_channels}, {n_bins}) -> "
        f"estimates ({len(model.sources)}, frames, chunks, {model.nb_channels}, {n_bins}) of "
        f"{', '.join(model.sources)}; centred frames of {model.n_fft} samples, {model.hop} apart, "
        f"Hann window of {model.window.numel()}, {model.sample_rate:g} Hz."
    )
    return 0

"""`xscheme export`: the networks of any weights as an ONNX file."""

from pathlib import Path

from asteroid_xscheme.weights import CheckpointError
from asteroid_xscheme.export import export_onnx
from asteroid_xscheme.models import BridgedModel


def export(source: str, target: str, offline: bool = False, overwrite: bool = False) -> str:
    """Write the networks of weights as ONNX.

    Args:
        source: As for `load_package`.
        target: File to write, .onnx.
        offline: Whether to use only what is on this machine.
        overwrite: Whether to replace a file that exists.

    Returns:
        What was written and how to feed it, in words.
    """
    path = Path(target).expanduser()
    if path.suffix != ".onnx":
        raise CheckpointError(f"Cannot write {target}: expected a name in .onnx.")
    if path.exists() and not overwrite:
        raise CheckpointError(f"{target} exists. Choose another name or add --overwrite.")
    model = BridgedModel.from_pretrained(source, offline=offline)
    export_onnx(model, path)
    n_bins = model.n_fft // 2 + 1
    power = "" if model.spec_power == 1 else f" to the power of {model.spec_power}"
    return (
        f"Wrote {path}: magnitudes{power} (frames, chunks, {model.nb_channels}, {n_bins}) -> "
        f"estimates ({len(model.sources)}, frames, chunks, {model.nb_channels}, {n_bins}) of "
        f"{', '.join(model.sources)}; centred frames of {model.n_fft} samples, {model.hop} apart, "
        f"Hann window of {model.window.numel()}, {model.sample_rate:g} Hz."
    )

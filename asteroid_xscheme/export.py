"""Export the networks of a spectrogram model to ONNX, for programs without Python.

The file only maps magnitudes to magnitudes. The program that runs it has to provide the STFT, the
phase and the Wiener filter, which take a few lines in any language.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Union

import torch
from torch import nn

from .atomic import replacing
from .errors import XSchemeError
from .models import BridgedModel, SpectrogramModel

_OPSET = 17
_EXAMPLE_FRAMES = 64


class ExportError(XSchemeError):
    """A model cannot be exported; the message says why and what to do."""


def export_onnx(model: BridgedModel, path: Union[str, Path]) -> Path:
    """Write the networks of a model as ONNX.

    The graph maps the input "magnitudes" (N, B, C, F) to the output "estimates" (J, N, B, C, F),
    both float32. The numbers of frames N and chunks B are dynamic. The graph is that of the model's
    copy for inference (`fold`).

    Args:
        model: A spectrogram model; it is not changed.
        path: File to write.

    Returns:
        The path.

    Raises:
        ExportError: If the model works on waveforms, the package onnx is missing, or torch cannot
            write the networks as ONNX.
        OSError: If the file cannot be written.
    """
    if find_spec("onnx") is None:
        raise ExportError("Writing ONNX files needs the onnx package: pip install onnx")
    if model.domain != "spectrogram":
        raise ExportError(
            f"Expected a spectrogram model to export, got {type(model).__name__}, which works "
            "on waveforms."
        )
    core = _Core(model.fold().cpu()).eval()
    magnitudes = torch.rand(_EXAMPLE_FRAMES, 1, model.nb_channels, model.n_fft // 2 + 1)
    path = Path(path)
    with replacing(path) as part:
        try:
            _write_graph(core, magnitudes, part)
        except (torch.onnx.OnnxExporterError, RuntimeError) as error:
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise ExportError(
                f"{type(model).__name__} cannot be written as ONNX: {reason} Remove the operation "
                "that torch names, or export the trained networks with your own script."
            ) from error
    return path


class _Core(nn.Module):
    """The networks alone, as a module that torch can export."""

    def __init__(self, model: SpectrogramModel):
        super().__init__()
        self.model = model

    def forward(self, magnitudes: torch.Tensor) -> torch.Tensor:
        return self.model.estimate_magnitudes(magnitudes)


@torch.no_grad()
def _write_graph(core: nn.Module, magnitudes: torch.Tensor, path: Path) -> None:
    """Trace and write a graph, not with torch's dynamo exporter, which fixes an LSTM's frames.

    For an LSTM, torch warns that sizes become constants, which they are, and that the batch size
    may be fixed, although the graph accepts any.
    """
    torch.onnx.export(
        core,
        (magnitudes,),
        str(path),
        dynamo=False,
        opset_version=_OPSET,
        input_names=["magnitudes"],
        output_names=["estimates"],
        dynamic_axes={
            "magnitudes": {0: "frames", 1: "chunks"},
            "estimates": {1: "frames", 2: "chunks"},
        },
    )

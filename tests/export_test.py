"""The exported core gives equal estimates in ONNX Runtime."""

import sys

import numpy as np
import pytest
import torch
import xscheme

from asteroid_xscheme.export import ExportError, export_onnx
from asteroid_xscheme.models import XD3Net, XUMX, XConvTasNet
from tests.rounding import NETWORK

pytestmark = pytest.mark.filterwarnings(  # torch's, of its exporter and of its LSTM
    "ignore:You are using the legacy TorchScript-based ONNX export:DeprecationWarning",
    "ignore:The feature will be removed:DeprecationWarning",
    "ignore:Converting a tensor:torch.jit.TracerWarning:torch.nn.modules.rnn",
    "ignore:Exporting a model to ONNX with a batch_size other than 1:UserWarning",
)

SIZES = dict(window_length=64, in_chan=64, n_hop=16, hidden_size=8, max_bin=25)


@pytest.mark.parametrize("nb_channels", (1, 2))
@pytest.mark.parametrize("options", ({}, {"bridge": False}, {"bidirectional": False}))
def test_exported_core_estimates_the_same_for_any_number_of_frames(tmp_path, options, nb_channels):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    model = XUMX(["a", "b"], nb_channels=nb_channels, nb_layers=2, **options, **SIZES).train()
    path = export_onnx(model, tmp_path / "model.onnx")
    assert model.training and list(tmp_path.iterdir()) == [path]
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for n_frames, n_chunks in ((64, 1), (1, 1), (90, 3)):
        magnitudes = torch.rand(n_frames, n_chunks, nb_channels, 33)
        (estimates,) = session.run(None, {"magnitudes": magnitudes.numpy()})
        expected = model.eval().estimate_magnitudes(magnitudes).detach().numpy()
        np.testing.assert_allclose(estimates, expected, **NETWORK)


def test_exported_d3net_takes_any_number_of_frames(tmp_path):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    path_config = {
        "init_channels": 2,
        "growth": [2, 2, 2],
        "layers": [2, 1, 1],
        "blocks": [2, 1, 1],
    }
    network = {
        **{"valid_bins": 24, "splits": [], "bands": [path_config], "full": path_config},
        **{"final_growth": 2, "final_layers": 2, "patch_frames": 8, "patch_shift": 4},
    }
    model = XD3Net(["a", "b"], network, window_length=64, in_chan=64, n_hop=16)
    path = export_onnx(model, tmp_path / "model.onnx")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for n_frames, n_chunks in ((1, 1), (90, 3)):
        magnitudes = torch.rand(n_frames, n_chunks, 2, 33)
        (estimates,) = session.run(None, {"magnitudes": magnitudes.numpy()})
        expected = model.eval().estimate_magnitudes(magnitudes).detach().numpy()
        np.testing.assert_allclose(estimates, expected, **NETWORK)


class Unwritable(XUMX):
    """A model with an operation that ONNX does not support."""

    def estimate_magnitudes(self, magnitudes):
        return torch.special.bessel_j0(magnitudes)[None]


def test_unsupported_onnx_operators_are_reported_in_one_line(tmp_path):
    pytest.importorskip("onnx")
    with pytest.raises(ExportError, match="^Unwritable cannot be .*bessel_j0.*$") as caught:
        export_onnx(Unwritable(["a"], nb_layers=1, **SIZES), tmp_path / "model.onnx")
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_missing_package_is_an_error_with_a_remedy(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ExportError, match="pip install onnx"):
        export_onnx(XUMX(["a"], nb_layers=1, **SIZES), tmp_path / "model.onnx")


def test_failed_export_leaves_nothing_behind(tmp_path):
    pytest.importorskip("onnx")
    model = XUMX(["a"], nb_layers=1, **SIZES)
    with pytest.raises(FileNotFoundError):
        export_onnx(model, tmp_path / "missing" / "model.onnx")
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError):
        export_onnx(model, tmp_path / "taken")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_waveform_model_cannot_be_exported(tmp_path):
    pytest.importorskip("onnx")
    with torch.device("meta"):
        model = XConvTasNet(["a"])
    with pytest.raises(ExportError, match="XConvTasNet, which works on waveforms"):
        export_onnx(model, tmp_path / "model.onnx")


def test_export_command_writes_the_file_and_describes_its_input(tmp_path, capsys):
    pytest.importorskip("onnx")
    source, target = str(tmp_path / "model.pth"), str(tmp_path / "model.onnx")
    torch.save(XUMX(["bass", "drums"], nb_layers=1, **SIZES).serialize(), source)
    assert xscheme.main(["export", source, target]) == 0
    assert "magnitudes (frames, chunks, 2, 33) -> " in capsys.readouterr().out
    assert xscheme.main(["export", source, target]) == 1
    assert "exists" in capsys.readouterr().err
    assert xscheme.main(["export", source, target, "--overwrite"]) == 0
    assert xscheme.main(["export", source, str(tmp_path / "model.txt")]) == 1
    assert "must end in .onnx" in capsys.readouterr().err

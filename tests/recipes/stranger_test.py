"""A model class that this package does not know, defined here, works in every stage."""

import sys

import pytest
import torch
from torch import nn

from asteroid_xscheme import BridgedModel, Separator
from asteroid_xscheme.export import ExportError, export_onnx
from asteroid_xscheme.models import SpectrogramModel
from asteroid_xscheme.recipes.ablation.grid import configure, paper_rows, point_rows
from asteroid_xscheme.recipes.config import Config, ConfigError
from asteroid_xscheme.recipes.stages import evaluate_run, run_name
from asteroid_xscheme.recipes.training import train

pytestmark = pytest.mark.filterwarnings(
    "ignore:`isinstance\\(treespec, LeafSpec\\)` is deprecated",  # Lightning's own code
    "ignore:The '.*_dataloader' does not have many workers",
    "ignore:The number of training batches",
)


class Stranger(SpectrogramModel):
    """A mask for each source."""

    bridge_points = default_bridge_points = ("hidden",)

    def __init__(self, sources, nb_channels=2, sample_rate=44100, width=4, bridge=True):
        super().__init__(sources, sample_rate, nb_channels, bridge)
        self.n_fft, self.hop, self.width = 64, 16, width
        self.register_buffer("window", torch.hann_window(64), persistent=False)
        self.inputs = nn.ModuleList(nn.Linear(33, width) for _ in self.sources)
        self.outputs = nn.ModuleList(nn.Linear(width, 33) for _ in self.sources)

    def estimate_magnitudes(self, magnitudes):
        hidden = self.bridges("hidden", [layer(magnitudes) for layer in self.inputs])
        masks = [layer(x).sigmoid() for layer, x in zip(self.outputs, hidden)]
        return torch.stack(masks) * magnitudes

    def get_model_args(self):
        return {**super().get_model_args(), "width": self.width}


class Gain(BridgedModel):
    """A gain for each source, waveform to waveform."""

    def __init__(self, sources, nb_channels=2, sample_rate=44100, bridge=False):
        super().__init__(sources, sample_rate, nb_channels, bridge)
        self.gains = nn.Parameter(torch.ones(len(self.sources), 1, 1))

    def forward(self, wav):
        return None, self.forward_wav(wav).transpose(0, 1)

    def forward_wav(self, wav):
        return wav[:, None] * self.gains


@pytest.fixture
def config_of(make_config, monkeypatch):
    """A function from a class in this file to the options of a run, read as from conf.yml."""
    monkeypatch.setitem(sys.modules, "stranger", sys.modules[__name__])

    def make(model_class, **groups):
        options = make_config(**groups).to_dict()
        options["model"] = {"architecture": f"stranger:{model_class.__name__}"}
        return Config.from_dict(options)

    return make


def test_foreign_model_trains_separates_and_is_reported(config_of, tmp_path):
    config = config_of(Stranger, training={"epochs": 1}, evaluation={"bss_eval": "fast"})
    model = BridgedModel.from_pretrained(str(train(config, tmp_path)))
    assert isinstance(model, Stranger)
    sources = Separator(model).separate(torch.randn(2, 5000))
    assert {waveform.shape for waveform in sources.values()} == {(2, 5000)}
    evaluate_run(config, tmp_path)
    assert run_name(config) == "Stranger"
    assert "Stranger" in (tmp_path / "results.md").read_text()
    assert "Stranger" in (tmp_path / "report" / "report.html").read_text("utf-8")


def test_foreign_waveform_model_trains_and_separates(config_of, tmp_path):
    config = config_of(Gain, training={"epochs": 1}, loss={"loss": "WaveformL1Loss"})
    model = BridgedModel.from_pretrained(str(train(config, tmp_path)))
    assert list(Separator(model).separate(torch.randn(2, 500))) == config.data.sources


@pytest.mark.filterwarnings(  # of torch's exporter
    "ignore:You are using the legacy TorchScript-based ONNX export:DeprecationWarning",
    "ignore:The feature will be removed:DeprecationWarning",
)
def test_foreign_model_is_exported_or_says_why_not(tmp_path):
    pytest.importorskip("onnx")
    assert export_onnx(Stranger(["a", "b"]), tmp_path / "model.onnx").is_file()
    with pytest.raises(ExportError, match="Gain, which works on waveforms"):
        export_onnx(Gain(["a", "b"]), tmp_path / "gain.onnx")


def test_foreign_model_can_be_ablated(config_of):
    config = config_of(Stranger)
    assert [row.bridge for row in point_rows(config)] == [False, ("hidden",)]
    losses = {}
    for model_class in (Stranger, Gain):
        chosen = configure(config_of(model_class), paper_rows(["none"])[0], seed=1)
        losses[model_class.__name__] = chosen.loss.loss
    assert losses == {"Stranger": "MultiDomainLoss", "Gain": "WaveformL1Loss"}


def test_options_of_a_foreign_model_are_its_arguments(config_of):
    config = config_of(Stranger)
    assert config.to_dict()["model"] == {
        "architecture": "stranger:Stranger",
        "nb_channels": 2,
        "width": 4,
        "bridge": True,
    }
    with pytest.raises(ConfigError, match="width expects int"):
        Config.from_dict({"model": {"architecture": "stranger:Stranger", "width": "wide"}})


@pytest.mark.parametrize(
    "name, message",
    [("nowhere:Model", "There is no model nowhere:Model"), ("torch:nn", "subclass of Bridged")],
)
def test_unknown_model_name_is_an_error(name, message):
    with pytest.raises(ConfigError, match=message):
        Config.from_dict({"model": {"architecture": name}})

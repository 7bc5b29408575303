"""XScheme: what laws_test.py does not say of models of anybody's networks."""

import pytest
import torch
from torch import nn

from asteroid_xscheme import BridgedModel, BridgedNetworks, XScheme
from asteroid_xscheme.errors import XSchemeError
from asteroid_xscheme.models import WaveformModel
from asteroid_xscheme.weights import CheckpointError


class Mono(nn.Module):
    """A network of one channel, (B, T) -> (B, T)."""

    def __init__(self, size=3):
        super().__init__()
        self.first = nn.Conv1d(1, 4, size, padding=size // 2)
        self.last = nn.Conv1d(4, 1, size, padding=size // 2)

    def forward(self, wav):
        return self.last(torch.tanh(self.first(wav[:, None])))[:, 0]


def each_channel(networks, mixture):
    """Every channel by itself."""
    estimates = networks(mixture.flatten(0, 1))
    return [estimate.view_as(mixture) for estimate in estimates]


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def test_model_equals_the_bridged_networks_of_its_modules():
    networks, wav = [Mono(), Mono()], noise(2, 2, 50)
    model = XScheme(networks, ["a", "b"], ["last"], adapter=each_channel)
    assert isinstance(model, WaveformModel) and model.domain == "waveform"
    expected = torch.stack(each_channel(BridgedNetworks(networks, ["last"]), wav), 1)
    model = XScheme(networks, ["a", "b"], ["last"], adapter=each_channel)
    assert torch.equal(model.forward_wav(wav), expected)


def test_file_names_class_and_adapter_that_the_reader_provides():
    model = XScheme(Mono, ["a", "b"], ["last"], {"size": 5}, adapter=each_channel).eval()
    package = model.serialize()
    args = package["model_args"]
    assert (args["networks"], args["network_args"]) == (f"{__name__}:Mono", {"size": 5})
    assert args["adapter"] == f"{__name__}:each_channel"
    with pytest.raises(CheckpointError, match=r"needs the network .*:Mono.*network=Mono"):
        XScheme.from_pretrained(package)
    with pytest.raises(CheckpointError, match="needs the adapter .*:each_channel"):
        XScheme.from_pretrained(package, network=Mono)
    again = BridgedModel.from_pretrained(package, network=Mono, adapter=each_channel).eval()
    assert torch.equal(again.forward_wav(noise(1, 2, 50)), model.forward_wav(noise(1, 2, 50)))


def test_invalid_models_are_errors_with_a_remedy():
    model = XScheme([Mono(), Mono()], ["a", "b"], ["last"])
    with pytest.raises(XSchemeError, match="network_args="):
        model.serialize()
    with pytest.raises(XSchemeError, match="each of the 3 sources, got 2"):
        XScheme([Mono(), Mono()], ["a", "b", "c"], [])
    shorter = XScheme(Mono, ["a"], [], {"size": 4}, adapter=each_channel, nb_channels=1)
    with pytest.raises(RuntimeError):
        shorter.forward_wav(noise(1, 1, 50))
    flat = XScheme(Mono, ["a"], [], adapter=lambda networks, x: networks(x[:, 0]), nb_channels=1)
    with pytest.raises(XSchemeError, match=r"\(1, 1, 50\) or \(1, 1, 1, 50\).*\(1, 50\).*adapter"):
        flat.forward_wav(noise(1, 1, 50))

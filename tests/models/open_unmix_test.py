"""The recurrent layers of all sources, folded: the numbers of one after the other, however run."""

import pytest
import torch
from torch import nn

from asteroid_xscheme.models.open_unmix import RecurrentLayers


@pytest.fixture
def layers():
    torch.manual_seed(0)
    return RecurrentLayers({f"source{k}": nn.LSTM(8, 4, bidirectional=True) for k in range(3)})


@pytest.fixture
def features():
    return torch.randn(3, 11, 2, 8, generator=torch.Generator().manual_seed(1)).unbind()


def test_folded_layers_run_their_kernels(layers, features):
    asked = []

    def run_each(function, *arguments):
        asked.append(len(arguments[-1]))
        return list(map(function, *arguments))

    found = layers.fold(run_each)(features)
    assert all(torch.equal(a, b) for a, b in zip(found, layers(features)))
    assert asked == [3]


def test_gradients_flow_through_the_folded_layers(layers, features):
    sum(x.sum() for x in layers.fold()(features)).backward()
    assert all(parameter.grad is not None for parameter in layers.parameters())

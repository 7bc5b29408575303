"""The recurrent layers of all sources side by side: the numbers of one after the other."""

import pytest
import torch
from torch import nn

from asteroid_xscheme.models.open_unmix import RecurrentLayers


@pytest.fixture(params=[1, 2, 3, 7])
def n_threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def make_layers(n_sources=3):
    torch.manual_seed(0)
    layers = {f"source{k}": nn.LSTM(8, 4, bidirectional=True) for k in range(n_sources)}
    return RecurrentLayers(layers), torch.randn(n_sources, 11, 2, 8).unbind()


def test_side_by_side_gives_what_one_after_the_other_gives(n_threads):
    layers, features = make_layers()
    with torch.no_grad():
        expected, found = layers(features), layers.fold()(features)
    assert all(torch.equal(a, b) for a, b in zip(found, expected))
    assert not any(x.requires_grad for x in found)
    assert torch.get_num_threads() == n_threads


def test_side_by_side_keeps_the_callers_precision(n_threads):
    layers, features = make_layers()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        features = [x.bfloat16() for x in features]
        expected, found = layers(features), layers.fold()(features)
    assert all(torch.equal(a, b) for a, b in zip(found, expected))
    assert found[0].dtype == torch.bfloat16


def test_gradients_flow_through_the_folded_layers(n_threads):
    layers, features = make_layers()
    sum(x.sum() for x in layers.fold()(features)).backward()
    assert all(parameter.grad is not None for parameter in layers.parameters())


def test_an_error_in_a_thread_is_raised_and_the_threads_are_given_back(n_threads):
    layers, features = make_layers()
    with torch.no_grad(), pytest.raises(RuntimeError, match="input.size"):
        layers.fold()([*features[:2], torch.randn(11, 2, 5)])
    assert torch.get_num_threads() == n_threads

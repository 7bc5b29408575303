"""The X-scheme around networks that nobody edited: laws, our models by a second way, refusals."""

import copy
import pickle
import traceback
import warnings

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from asteroid_xscheme import BridgedNetworks, XConvTasNet, XD3Net
from asteroid_xscheme.bridged_networks import BridgingError
from asteroid_xscheme.models.conv_tasnet import ConvTasNet
from asteroid_xscheme.models.d3net import D3Net

ROUNDING = dict(rtol=1e-5, atol=1e-6)  # of float32, where only the order of sums differs


def noise(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def seeded(build, n_networks=3):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return [build() for _ in range(n_networks)]


class Plain(nn.Module):
    """Two layers with a skip connection and dropout; `around` is opened around the second."""

    def __init__(self, around=None, inplace=False, n_features=5):
        super().__init__()
        self.first = nn.Linear(4, n_features)
        self.act = nn.ReLU(inplace=inplace)
        self.second = nn.Linear(n_features, n_features)
        self.dropout = nn.Dropout(0.5)
        self.last = nn.Linear(n_features, 2)
        self.around = around

    def middle(self, x):
        return self.second(self.act(x))

    def forward(self, x):
        features = torch.tanh(self.first(x))
        if self.around is None:
            middle = self.middle(features)
        elif self.around in (True, False):
            middle = checkpoint(self.middle, features, use_reentrant=self.around)
        else:
            with self.around():
                middle = self.middle(features)
        return self.last(self.dropout(middle) + features)


def by_hand(networks, x):
    """`Plain` networks of which `act` reads the mean and the skip connection the own features."""
    own = [torch.tanh(network.first(x)) for network in networks]
    mean = sum(own) / len(own)
    middles = [network.second(network.act(mean)) for network in networks]
    return [net.last(net.dropout(y) + z) for net, y, z in zip(networks, middles, own)]


def gradients(networks, outputs):
    for network in networks:
        network.zero_grad()
    sum(output.float().square().sum() for output in outputs).backward()
    return [p.grad.clone() for network in networks for p in network.parameters()]


@pytest.mark.parametrize("is_training", (True, False))
def test_point_replaces_the_input_of_a_submodule_by_the_mean(is_training):
    networks, x = seeded(Plain), noise(3, 4)
    bridged = BridgedNetworks(networks, "act").train(is_training)
    bridged.apply(lambda m: setattr(m, "p", 0.0) if isinstance(m, nn.Dropout) else None)
    outputs = bridged(x)
    found = gradients(networks, outputs)
    BridgedNetworks(networks, [])
    expected = by_hand(networks, x)
    torch.testing.assert_close(outputs, expected, **ROUNDING)
    torch.testing.assert_close(found, gradients(networks, expected), **ROUNDING)


def test_output_of_one_layer_and_input_of_the_next_are_the_same_point():
    networks, x = seeded(Plain), noise(3, 4)
    outputs = BridgedNetworks(networks, ["act:output"]).eval()(x)
    again = BridgedNetworks(networks, ["second"]).eval()(x)
    assert all(map(torch.equal, outputs, again))


def test_without_points_networks_are_independent_bit_for_bit_dropout_included():
    networks, x = seeded(Plain), noise(3, 4)
    bridged = BridgedNetworks(networks, [])
    torch.manual_seed(3)
    outputs = bridged(x)
    torch.manual_seed(3)
    assert all(map(torch.equal, outputs, [network(x) for network in networks]))


@pytest.mark.parametrize("points", (["act"], ["first:output", "act", "second", "last"]))
def test_identical_networks_bridge_to_themselves_and_one_is_itself(points):
    alone, x = seeded(Plain, 1)[0].eval(), noise(3, 4)
    expected = alone(x)
    copies = [copy.deepcopy(alone) for _ in range(4)]
    for output in BridgedNetworks(copies, points)(x):
        torch.testing.assert_close(output, expected, **ROUNDING)
    assert torch.equal(BridgedNetworks([alone], points)(x)[0], expected)


def test_order_of_networks_does_not_matter():
    networks, x = seeded(Plain), noise(3, 4)
    forward = BridgedNetworks(networks, ["act", "last"]).eval()(x)
    backward = BridgedNetworks(networks[::-1], ["act", "last"]).eval()(x)
    torch.testing.assert_close(forward, backward[::-1], **ROUNDING)


def test_state_dict_is_that_of_the_networks():
    networks = seeded(Plain)
    state = BridgedNetworks(networks, ["act"]).state_dict()
    for index, network in enumerate(networks):
        for name, value in network.state_dict().items():
            assert torch.equal(state.pop(f"networks.{index}.{name}"), value)
    assert not state


@pytest.mark.parametrize("duplicate", (copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))))
def test_copies_are_bridged_too_and_keep_apart(duplicate):
    bridged, x = BridgedNetworks(seeded(Plain), ["act"]).eval(), noise(3, 4)
    twin = duplicate(bridged)
    assert all(map(torch.equal, twin(x), bridged(x)))
    nn.init.zeros_(twin.networks[0].first.weight)
    assert not torch.equal(twin(x)[1], bridged(x)[1])


def test_network_that_changes_its_features_in_place_changes_only_its_own():
    x = noise(3, 4)
    outputs = BridgedNetworks(seeded(lambda: Plain(inplace=True)), ["act"]).eval()(x)
    expected = BridgedNetworks(seeded(Plain), ["act"]).eval()(x)
    torch.testing.assert_close(outputs, expected, **ROUNDING)


class Nested(nn.Module):
    """Hands tuples, keywords and dictionaries on, and calls one submodule twice."""

    class Inner(nn.Module):
        def forward(self, number, *, pair):
            return {"features": (pair[0] * number, "words")}

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.inner = self.Inner()

    def forward(self, x):
        once = self.inner(2, pair=[self.first(x), x])["features"][0]
        return self.inner(3, pair=[once, x])["features"][0]


@pytest.mark.parametrize("point", ("inner", "inner:output"))
def test_first_tensor_of_nested_values_is_meant_at_every_visit(point):
    networks, x = seeded(Nested), noise(3, 4)
    expected = 6 * sum(network.first(x) for network in networks) / 3
    for output in BridgedNetworks(networks, [point])(x):
        torch.testing.assert_close(output, expected, **ROUNDING)


class Recurrent(nn.Module):
    """A recurrent network over a packed sequence, whose output is a tuple."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(4, 3, batch_first=True)

    def forward(self, x):
        packed = nn.utils.rnn.pack_padded_sequence(x, [5, 3], batch_first=True)
        return nn.utils.rnn.pad_packed_sequence(self.rnn(packed)[0], batch_first=True)[0]


@pytest.mark.parametrize("point", ("rnn", "rnn:output"))
def test_named_tuples_keep_their_type(point):
    networks, x = seeded(Recurrent), noise(2, 5, 4)
    outputs = BridgedNetworks(networks, [point])(x)
    BridgedNetworks(networks, [])
    own = [network(x) for network in networks]
    expected = [sum(own) / 3] * 3 if point == "rnn:output" else own  # all read one x
    torch.testing.assert_close(outputs, expected, **ROUNDING)


# our models, by a second way


@pytest.mark.parametrize("skip_chan", (0, 5))
@pytest.mark.parametrize(
    "ours, theirs",
    (
        (["separator"], "separator"),
        (["bottleneck"], ["bottleneck:output"]),
        (["bottleneck", "separator"], "both"),
        (["encoder"], ["bottleneck"]),
    ),
)
def test_wrapper_of_conv_tasnet_is_x_conv_tasnet(ours, theirs, skip_chan):
    sizes = dict(n_filters=12, kernel_size=8, bn_chan=6, hid_chan=10, n_blocks=2, n_repeats=2)
    sizes["skip_chan"] = skip_chan
    spectrogram = dict(window_length=64, in_chan=64, n_hop=16, sample_rate=8000)
    model = XConvTasNet(["a", "b", "c"], **sizes, **spectrogram, bridge=ours)
    separator = ["mask_prelu"]
    points = {"separator": separator, "both": ["bottleneck:output", *separator]}.get(
        theirs if isinstance(theirs, str) else "", theirs
    )
    wav = noise(2, 2, 203)
    expected = model.forward_wav(wav)
    wanted = gradients(model.networks, [expected])
    networks = list(model.networks)
    outputs = BridgedNetworks(networks, points)(wav)
    torch.testing.assert_close(torch.cat(outputs, 1), expected, **ROUNDING)
    torch.testing.assert_close(gradients(networks, outputs), wanted, rtol=1e-4, atol=1e-5)

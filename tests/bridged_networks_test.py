"""Bridges between unmodified networks: laws, equality with our models, and errors."""

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
from tests.rounding import BFLOAT

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
        return self.second(self.act(x).to(self.second.weight.dtype))

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
    """`Plain` networks whose `act` reads the mean, and whose skip connection their own features."""
    own = [torch.tanh(network.first(x)) for network in networks]
    mean = sum(own) / len(own)
    middles = [network.second(network.act(mean)) for network in networks]
    return [net.last(net.dropout(y) + z) for net, y, z in zip(networks, middles, own)]


def assert_near(found, expected):
    """Assert equality within 1e-6 of the largest value, since the order of sums differs."""
    for x, y in zip(found, expected, strict=True):
        assert (x - y).abs().max() <= 1e-6 * max(1, y.abs().max())


def gradients(networks, outputs):
    for network in networks:
        network.zero_grad()
    sum(output.float().square().sum() for output in outputs).backward()
    parameters = [p for network in networks for p in network.parameters() if p.requires_grad]
    return [parameter.grad.clone() for parameter in parameters]


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


def test_networks_without_points_are_bitwise_independent_even_with_dropout():
    networks, x = seeded(Plain), noise(3, 4)
    bridged = BridgedNetworks(networks, [])
    torch.manual_seed(3)
    outputs = bridged(x)
    torch.manual_seed(3)
    assert all(map(torch.equal, outputs, [network(x) for network in networks]))


@pytest.mark.parametrize("points", (["act"], ["first:output", "act", "second", "last"]))
def test_bridging_identical_networks_or_a_single_one_changes_nothing(points):
    alone, x = seeded(Plain, 1)[0].eval(), noise(3, 4)
    expected = alone(x)
    copies = [copy.deepcopy(alone) for _ in range(4)]
    for output in BridgedNetworks(copies, points)(x):
        torch.testing.assert_close(output, expected, **ROUNDING)
    assert torch.equal(BridgedNetworks([alone], points)(x)[0], expected)


def test_result_does_not_depend_on_the_order_of_networks():
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
def test_copies_are_bridged_independently_of_the_original(duplicate):
    bridged, x = BridgedNetworks(seeded(Plain), ["act"]).eval(), noise(3, 4)
    twin = duplicate(bridged)
    assert all(map(torch.equal, twin(x), bridged(x)))
    nn.init.zeros_(twin.networks[0].first.weight)
    assert not torch.equal(twin(x)[1], bridged(x)[1])


def test_in_place_changes_stay_within_one_network():
    x = noise(3, 4)
    outputs = BridgedNetworks(seeded(lambda: Plain(inplace=True)), ["act"]).eval()(x)
    expected = BridgedNetworks(seeded(Plain), ["act"]).eval()(x)
    torch.testing.assert_close(outputs, expected, **ROUNDING)


class Nested(nn.Module):
    """Passes tuples, keywords and dictionaries on, and calls one submodule twice."""

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
def test_first_tensor_of_nested_values_is_bridged_at_every_visit(point):
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


CONV_TASNET_POINTS = {
    "encoder": ["bottleneck_norm"],
    "bottleneck": ["bottleneck_conv:output"],
    "separator": ["mask_prelu"],
}


@pytest.mark.parametrize("skip_chan", (0, 5))
@pytest.mark.parametrize("bridge", (["encoder"], ["bottleneck"], ["bottleneck", "separator"]))
def test_wrapper_of_conv_tasnet_is_x_conv_tasnet(bridge, skip_chan):
    sizes = dict(n_filters=12, kernel_size=8, bn_chan=6, hid_chan=10, n_blocks=2, n_repeats=2)
    model = XConvTasNet(["a", "b", "c"], **sizes, skip_chan=skip_chan, bridge=bridge).double()
    wav = noise(2, 2, 203).double()
    expected = model.forward_wav(wav)
    wanted = gradients(model.networks, [expected])
    points = [name for point in bridge for name in CONV_TASNET_POINTS[point]]
    assert isinstance(model.networks[0], ConvTasNet)
    outputs = BridgedNetworks(model.networks, points)(wav)
    assert_near(torch.cat(outputs, 1), expected)
    assert_near(gradients(model.networks, outputs), wanted)


D3NET = {
    "valid_bins": 24,
    "splits": [8],
    "bands": [
        {"init_channels": 3, "growth": [2, 3, 2], "layers": [2, 2, 1], "blocks": [2, 2, 2]},
        {"init_channels": 2, "growth": [1], "layers": [1], "blocks": [1]},
    ],
    "full": {"init_channels": 2, "growth": [2, 2, 2], "layers": [1, 2, 1], "blocks": [1, 2, 1]},
    "final_growth": 2,
    "final_layers": 2,
    "patch_frames": 8,
    "patch_shift": 4,
}
PATHS = ("bands.0", "bands.1", "full")
D3NET_POINTS = {
    "init": [f"{path}.init:output" for path in PATHS],
    "first_block": ["bands.0.blocks.1", "bands.1.match", "full.blocks.1"],  # pooling is linear
    "bands": ["bands.0.match:output", "bands.1.match:output"],
    "full": ["full.match:output"],
    "concat": ["final_block"],
    "final": ["output_gate"],
}


@pytest.mark.parametrize(
    "bridge", [*([point] for point in D3NET_POINTS), ["first_block", "concat"]]
)
def test_wrapper_of_d3net_is_x_d3net(bridge):
    sizes = dict(network=D3NET, window_length=64, in_chan=64, n_hop=16)
    model = XD3Net(["a", "b", "c"], **sizes, bridge=bridge).double().eval()
    magnitudes = noise(7, 2, 2, 33).abs().double()
    expected = list(model.estimate_magnitudes(magnitudes)[..., : D3NET["valid_bins"]])
    wanted = gradients(model.networks, expected)
    points = [name for point in bridge for name in D3NET_POINTS[point]]
    assert isinstance(model.networks[0], D3Net)
    outputs = BridgedNetworks(model.networks, points)(magnitudes.permute(1, 2, 0, 3))
    outputs = [output.permute(2, 0, 1, 3) for output in outputs]
    assert_near(outputs, expected)
    assert_near(gradients(model.networks, outputs), wanted)


# what torch keeps per thread


@pytest.mark.parametrize(
    "around",
    (
        torch.no_grad,
        torch.enable_grad,
        lambda: torch.autocast("cpu", torch.bfloat16),
        lambda: torch.autocast("cpu", enabled=False),
    ),
)
@pytest.mark.parametrize("outside", (torch.enable_grad, lambda: torch.autocast("cpu")))
def test_autograd_modes_around_a_point_stay_within_their_network(around, outside):
    x = noise(3, 4)
    networks = seeded(lambda: Plain(around))
    with outside():
        before = torch.is_grad_enabled(), torch.is_autocast_enabled("cpu")
        outputs = BridgedNetworks(networks, ["act"]).eval()(x)
        assert (torch.is_grad_enabled(), torch.is_autocast_enabled("cpu")) == before
        found = gradients(networks, outputs) if around is not torch.no_grad else None
        BridgedNetworks(networks, [])
        own = [torch.tanh(network.first(x)) for network in networks]
        mean = sum(own) / 3
        expected = []
        for network, features in zip(networks, own):
            with around():
                middle = network.middle(mean)
            expected.append(network.last(middle + features))
    rounding = dict(rtol=4 * BFLOAT, atol=4 * BFLOAT)  # of a few layers whose values are below 1
    torch.testing.assert_close(outputs, expected, **rounding)
    assert [x.dtype for x in outputs] == [x.dtype for x in expected]
    if found is not None:
        wanted = gradients(networks, expected)
        torch.testing.assert_close(found, wanted, **rounding)


def test_no_grad_around_a_point_cuts_only_that_gradient():
    networks = seeded(lambda: Plain(torch.no_grad))
    outputs = BridgedNetworks(networks, ["act"]).eval()(noise(3, 4))
    sum(output.sum() for output in outputs).backward()
    for network in networks:
        assert network.second.weight.grad is None
        assert network.first.weight.grad.any() and network.last.weight.grad.any()


@pytest.mark.parametrize("make_context", (torch.no_grad, torch.inference_mode))
def test_outputs_are_equal_with_and_without_gradients(make_context):
    bridged, x = BridgedNetworks(seeded(Plain), ["act", "last"]).eval(), noise(3, 4)
    with make_context():
        outputs = bridged(x)
    assert not any(output.requires_grad for output in outputs)
    assert all(map(torch.equal, outputs, bridged(x)))


@pytest.mark.parametrize("use_reentrant", (False, True))
def test_checkpointing_of_the_whole_call_gives_the_same_gradients(use_reentrant):
    networks, x = seeded(Plain), noise(3, 4).requires_grad_()
    bridged = BridgedNetworks(networks, ["act", "last"]).eval()
    wanted = gradients(networks, bridged(x))

    def call(x):
        return tuple(bridged(x))

    found = gradients(networks, checkpoint(call, x, use_reentrant=use_reentrant))
    assert_near(found, wanted)


def test_checkpointing_between_points_gives_the_same_gradients():
    networks, x = seeded(lambda: Plain(around=False)), noise(3, 4)
    wanted = gradients(networks, BridgedNetworks(networks, ["last"]).eval()(x))
    for network in networks:
        network.around = None
    assert_near(gradients(networks, BridgedNetworks(networks, ["last"]).eval()(x)), wanted)


def test_checkpointing_across_a_point_is_refused():
    bridged = BridgedNetworks(seeded(lambda: Plain(around=False)), ["act"])
    with pytest.raises(BridgingError, match="Network 0 reaches 'act' inside activation checkpoint"):
        bridged(noise(3, 4))
    outputs = BridgedNetworks(seeded(lambda: Plain(around=True)), ["act"])(noise(3, 4))
    with pytest.raises(BridgingError, match="'act' was reached outside a call.*checkpointing"):
        sum(output.sum() for output in outputs).backward()


@pytest.mark.parametrize(
    "around, named",
    (
        (torch.inference_mode, "torch.inference_mode"),
        (lambda: torch.device("cpu"), "a torch function mode"),
        (lambda: torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH), "attention"),
        (torch.autograd.graph.save_on_cpu, "hooks on saved tensors"),
        (warnings.catch_warnings, "warnings.catch_warnings"),
    ),
)
def test_state_that_leaks_into_sibling_networks_is_refused_and_closed(around, named):
    networks, x = seeded(lambda: Plain(around)), noise(3, 4)
    filters = warnings.filters
    with pytest.raises(BridgingError, match=f"Network 0 reaches 'act' inside .*{named}"):
        BridgedNetworks(networks, ["act"])(x)
    assert warnings.filters is filters and not torch.is_inference_mode_enabled()
    assert len(BridgedNetworks(networks, ["first:output"])(x)) == 3


def test_bridged_networks_train_under_ddp(tmp_path):
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'rendezvous'}", rank=0, world_size=1
    )
    try:
        networks, x = seeded(Plain), noise(3, 4)
        bridged = BridgedNetworks(networks, ["act"]).eval()
        wanted = gradients(networks, bridged(x))
        wrapped = nn.parallel.DistributedDataParallel(bridged)
        assert_near(gradients(networks, wrapped(x)), wanted)
    finally:
        torch.distributed.destroy_process_group()


# errors


def test_unknown_submodule_is_named_with_the_nearest_match():
    with pytest.raises(BridgingError, match="Network 0, a Plain, has no submodule 'secnd'.*second"):
        BridgedNetworks(seeded(Plain), ["secnd"])
    for point in ("", ":output", "act:input"):
        with pytest.raises(BridgingError, match="Expected a point as 'name'"):
            BridgedNetworks(seeded(Plain), [point])


def test_invalid_sets_of_networks_are_refused():
    network = Plain()
    with pytest.raises(BridgingError, match="one or more networks"):
        BridgedNetworks([], [])
    with pytest.raises(BridgingError, match="one network per source, got the same one twice"):
        BridgedNetworks([network] * 4, [])
    with pytest.raises(BridgingError, match="'act' more than once"):
        BridgedNetworks([network], ["act", "act"])


class Detour(Plain):
    """Calls its layers in its own order."""

    def __init__(self, order):
        super().__init__(n_features=4)
        self.order = order

    def forward(self, x):
        for name in self.order:
            x = getattr(self, name)(x)
        return x


@pytest.mark.parametrize(
    "orders, said",
    (
        (("first", "first"), "No network reached 'act'"),
        (("first act", "first"), "network 0 is at 'act' .visit 1., network 1 has finished"),
        (("act act", "act"), "network 0 is at 'act' .visit 2., network 1 has finished"),
        (("act first", "first act"), "network 0 is at 'act' .visit 1., network 1 is at 'first'"),
    ),
)
def test_networks_that_diverge_at_a_point_are_named_with_it(orders, said):
    networks = [Detour(order.split()) for order in orders]
    points = ["act", "first"] if "first act" == orders[1] else ["act"]
    bridged = BridgedNetworks(networks, points)
    with pytest.raises(BridgingError, match=said):
        bridged(noise(3, 4))


def test_mismatched_features_are_named_with_point_and_networks():
    networks = [Plain(n_features=5), Plain(n_features=6)]
    bridged = BridgedNetworks(networks, ["act"])
    with pytest.raises(BridgingError, match=r"'act'.*network 0 \(3, 5\), network 1 \(3, 6\)"):
        bridged(noise(3, 4))


def test_point_without_a_floating_point_tensor_is_refused():
    class Looks(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.word = nn.Embedding(3, 2), nn.Identity()

        def forward(self, indices):
            return self.table(indices), self.word("word")

    for point, said in (("table", "int64"), ("word", "No tensor passes through 'word' of")):
        with pytest.raises(BridgingError, match=said):
            BridgedNetworks([Looks(), Looks()], [point])(torch.tensor([1, 2]))


class Failing(Plain):
    """Fails after its point on request, and records that its contexts were closed."""

    fails = False
    closed = 0

    def middle(self, x):
        try:
            x = self.act(x)
            if self.fails:
                raise RuntimeError("a problem of the network's own")
            return self.second(x)
        finally:
            self.closed += 1


def test_error_in_a_network_keeps_its_traceback_and_the_next_call_works():
    networks, x = seeded(lambda: Failing(torch.no_grad)), noise(3, 4)
    bridged = BridgedNetworks(networks, ["act"]).eval()
    expected = bridged(x)
    networks[1].fails = True
    with pytest.raises(RuntimeError, match="a problem of the network's own") as caught:
        bridged(x)
    assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "middle"
    assert [network.closed for network in networks] == [2, 2, 2]
    assert torch.is_grad_enabled()
    networks[1].fails = False
    assert all(map(torch.equal, bridged(x), expected))


def test_calling_a_wrapped_network_alone_is_refused():
    networks, x = seeded(Plain), noise(3, 4)
    BridgedNetworks(networks, ["act"])
    with pytest.raises(
        BridgingError, match=r"outside a call.*BridgedNetworks\(\[network\], \[\]\)"
    ):
        networks[0](x)
    assert torch.equal(BridgedNetworks(networks[:1], []).eval()(x)[0], networks[0](x))


def test_bridged_networks_inside_a_network_bridge_among_themselves():
    def build():
        return nn.Sequential(
            BridgedNetworks(seeded(Plain), ["act"]).eval(), Stack(), nn.Linear(2, 2)
        )

    class Stack(nn.Module):
        def forward(self, outputs):
            return torch.stack(outputs).sum(0)

    networks, x = seeded(build, 2), noise(3, 4)
    middle = sum(network[1](network[0](x)) for network in networks) / 2
    for network, output in zip(networks, BridgedNetworks(networks, ["2"])(x)):
        torch.testing.assert_close(output, nn.functional.linear(middle, *network[2].parameters()))


@pytest.mark.parametrize(
    "try_it",
    (
        lambda module, x: torch.jit.script(module),
        lambda module, x: torch.jit.trace(module, x),
        lambda module, x: torch.export.export(module, (x,)),
        lambda module, x: torch.compile(module, backend="eager")(x),
    ),
    ids=("script", "trace", "export", "compile"),
)
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_compilers_are_refused_in_one_sentence(try_it):
    with pytest.raises(Exception, match="coroutines, which torch.jit, torch.export and torch.comp"):
        try_it(BridgedNetworks(seeded(Plain), ["act"]), noise(3, 4))


def test_torch_without_an_expected_private_state_is_reported(monkeypatch):
    monkeypatch.delattr(torch._C, "_len_torch_dispatch_stack")
    networks = BridgedNetworks([nn.Linear(2, 2)], [])
    with pytest.raises(RuntimeError, match="has no torch._C._len_torch_dispatch_stack, .*earlier"):
        networks(torch.zeros(2))


def test_torch_that_moved_its_hooks_is_reported():
    network = nn.Identity()
    del network._forward_hooks
    with pytest.raises(RuntimeError, match="no nn.Module._forward_hooks.*earlier torch"):
        BridgedNetworks([network], [])

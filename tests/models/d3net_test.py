"""D3Net: every part against its definition, the whole against the official sizes and costs."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from asteroid_xscheme.models.d3net import D3Net
from asteroid_xscheme.models.d3net_blocks import (
    D2Block,
    D3Block,
    DilatedUnit,
    MultiScalePath,
    OutputGate,
    Upsampling,
)
from asteroid_xscheme.models.d3net_config import OFFICIAL, D3NetConfig, PathConfig, configuration
from asteroid_xscheme.models.d3net_cost import macs_per_second, patch_macs
from asteroid_xscheme.models.d3net_folding import fold_networks
from asteroid_xscheme.models.d3net_split import SplitD2Block
from asteroid_xscheme.models.patches import averaged_over_flip, stream_patches
from asteroid_xscheme.models.x_d3net import overlap_add_patches
from tests.rounding import NETWORK

TINY = D3NetConfig(
    valid_bins=24,
    splits=(8,),
    bands=(PathConfig(6, (3, 4, 3), (3, 2, 2), (2, 2, 2)), PathConfig(4, (2,), (1,), (1,))),
    full=PathConfig(4, (2, 3, 4, 3, 2), (2, 3, 4, 3, 2), (2, 1, 3, 2, 2)),
    final_growth=3,
    patch_frames=16,
    patch_shift=8,
)


def with_statistics(module):
    """The module in eval mode with statistics and affine maps as training may leave them."""
    for norm in (m for m in module.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    return module.eval()


def test_unit_is_norm_relu_convolution():
    unit, features = with_statistics(DilatedUnit(3, 5, dilation=2)), torch.randn(2, 3, 8, 7)
    expected = F.conv2d(
        unit.norm(features).relu(), unit.conv.weight, unit.conv.bias, padding=2, dilation=2
    )
    torch.testing.assert_close(unit(features), expected)


def test_d2_layer_reads_every_earlier_layer_with_its_own_dilation():
    growth, n_layers = 3, 4
    block, features = with_statistics(D2Block(5, growth, n_layers)), torch.randn(1, 5, 20, 18)
    layers = [features]
    for layer in range(n_layers):
        total = 0
        for source, unit in enumerate(block.links[: layer + 1]):
            rows = slice((layer - source) * growth, (layer - source + 1) * growth)
            weight, bias = unit.conv.weight[rows], unit.conv.bias[rows]
            read = unit.norm(layers[source]).relu()
            total = total + F.conv2d(read, weight, bias, padding=2**source, dilation=2**source)
        layers.append(total)
    torch.testing.assert_close(block(features), layers[-1], rtol=1e-4, atol=1e-4)


def test_d3_block_of_two_adds_the_second_to_the_latter_half_of_the_first():
    block, features = with_statistics(D3Block(5, 3, 2, 2)), torch.randn(1, 5, 8, 8)
    first, second = block.links[0](features).split(3, dim=1)
    torch.testing.assert_close(block(features), second + block.links[1](first))


def test_d3_block_of_one_layer_and_one_block_is_a_unit():
    block, features = with_statistics(D3Block(5, 3, 1, 1)), torch.randn(1, 5, 8, 8)
    torch.testing.assert_close(block(features), block.links[0].links[0](features))


def test_upsampling_doubles_frames_and_bins():
    assert Upsampling(3)(torch.randn(2, 3, 4, 5)).shape == (2, 3, 8, 10)


def test_gate_multiplies_by_a_sigmoid():
    gate, features = with_statistics(OutputGate(3, 2)), torch.randn(1, 3, 4, 5)
    normal = gate.norm(features)
    expected = torch.sigmoid(gate.gate(normal)) * gate.linear(normal)
    torch.testing.assert_close(gate(features), expected)


@pytest.mark.parametrize("depth", (0, 1, 3))
def test_path_keeps_the_size_and_matches_the_channels(depth):
    growth = tuple(range(2, 2 * depth + 3))
    config = PathConfig(4, growth, (2,) * len(growth), (1,) * len(growth))
    spectrogram = torch.randn(2, 2, 16, 8)
    for out_channels in (growth[-1], 9):
        path = MultiScalePath(2, config, out_channels).eval()
        assert path(spectrogram).shape == (2, out_channels, 16, 8)


def test_shared_map_goes_down_and_the_own_map_is_the_skip_connection():
    path = MultiScalePath(2, TINY.bands[0], 3).eval()
    own, shared = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8)
    deep = path.upsamplings[0](path.blocks[1](F.avg_pool2d(shared, 2)))
    expected = path.blocks[2](torch.cat([deep, own], dim=1))
    torch.testing.assert_close(path.after_first_block(own, shared), expected)


@pytest.mark.parametrize(
    "source, n_parameters",
    (("bass", 2_419_822), ("drums", 2_873_284), ("other", 2_967_407), ("vocals", 2_967_407)),
)
def test_official_networks_have_their_number_of_parameters(source, n_parameters):
    network = D3Net(OFFICIAL[source], n_bins=2049)
    assert sum(parameter.numel() for parameter in network.parameters()) == n_parameters


@pytest.mark.parametrize("n_frames", (1, 15, 16, 19))
def test_any_number_of_frames_is_padded_with_silence_and_cropped(n_frames):
    network = with_statistics(D3Net(TINY, n_bins=33))
    magnitudes = torch.rand(2, 2, n_frames, 33)
    filled = F.pad(magnitudes, (0, 0, 0, 32 - n_frames))[:, :, : -(-n_frames // 4) * 4]
    estimate = network(magnitudes)
    assert estimate.shape == (2, 2, n_frames, 24)
    torch.testing.assert_close(estimate, network(filled)[:, :, :n_frames])


def test_bins_above_the_valid_band_are_not_read():
    network = with_statistics(D3Net(TINY, n_bins=33))
    magnitudes = torch.rand(1, 2, 8, 33)
    loud = magnitudes.clone()
    loud[..., TINY.valid_bins :] += 100
    assert torch.equal(network(magnitudes), network(loud))


def train_step(network, magnitudes, recompute):
    for block in (m for m in network.modules() if isinstance(m, D3Block)):
        block.recompute = recompute
    network.train().zero_grad()
    network(magnitudes).square().mean().backward()
    return {name: parameter.grad.clone() for name, parameter in network.named_parameters()}


def test_checkpointing_changes_neither_gradients_nor_running_statistics():
    magnitudes = torch.rand(2, 2, 8, 33)
    networks = [with_statistics(D3Net(TINY, n_bins=33)) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    kept, recomputed = (
        train_step(network, magnitudes, recompute) for network, recompute in zip(networks, (0, 1))
    )
    torch.testing.assert_close(recomputed, kept)
    torch.testing.assert_close(networks[1].state_dict(), networks[0].state_dict())
    assert networks[1].full.blocks[0].links[0].links[0].norm.momentum == 0.1


@pytest.mark.parametrize("n_channels", (1, 2, 3))
def test_folded_network_gives_equal_estimates(n_channels):
    network = with_statistics(D3Net(TINY, n_bins=33, n_channels=n_channels))
    magnitudes = torch.rand(2, n_channels, 21, 33)
    expected = network(magnitudes)
    error = (fold_networks([network])[0](magnitudes) - expected).abs().max() / expected.abs().max()
    assert error < 1e-5


@pytest.mark.parametrize("n_layers", (1, 2, 4))
def test_split_block_equals_plain_block(n_layers):
    block, features = D2Block(5, 3, n_layers).eval(), torch.randn(2, 5, 37, 6)
    with_statistics(block.links[0])
    for link in block.links[1:]:
        link.norm = nn.Identity()
    with torch.no_grad():
        torch.testing.assert_close(SplitD2Block(block)(features), block(features), **NETWORK)


def counted_macs(network, n_frames):
    counts = []

    def count(conv, inputs, output):
        pixels = inputs[0] if isinstance(conv, nn.ConvTranspose2d) else output
        counts.append(conv.weight.numel() * pixels.shape[2] * pixels.shape[3])

    for conv in network.modules():
        if isinstance(conv, (nn.Conv2d, nn.ConvTranspose2d)):
            conv.register_forward_hook(count)
    network(torch.rand(1, 2, n_frames, 33))
    return sum(counts)


@pytest.mark.parametrize("n_frames", (8, 16))
def test_multiply_accumulates_equal_those_of_the_executed_convolutions(n_frames):
    assert patch_macs(TINY, n_frames) == counted_macs(D3Net(TINY, n_bins=33).eval(), n_frames)


def test_official_networks_have_their_reported_cost():
    assert [round(patch_macs(OFFICIAL[s], 256) / 1e9) for s in ("drums", "vocals")] == [108, 120]
    one = macs_per_second([OFFICIAL["vocals"]], hop=1024, sample_rate=44100)
    assert one == pytest.approx(patch_macs(OFFICIAL["vocals"], 256) / (128 * 1024 / 44100))


def test_configuration_round_trips_through_plain_values():
    for config in (TINY, *OFFICIAL.values()):
        values = config.to_dict()
        assert D3NetConfig.from_dict(values) == config
        assert type(values["bands"]) is list and type(values["full"]["growth"]) is list


@pytest.mark.parametrize("n_fft", (1024, 2048, 4096))
@pytest.mark.parametrize("name", ("bass", "drums", "other", "vocals", "small"))
def test_named_configuration_scales_with_the_fourier_transform(name, n_fft):
    config = configuration(name, n_fft)
    assert config.valid_bins == pytest.approx(1600 * n_fft / 4096, abs=8)
    assert configuration(config.to_dict(), n_fft) == config


@pytest.mark.parametrize(
    "change, message",
    (
        (dict(splits=(8, 12)), "Expected 1 ascending splits within 24 bins"),
        (dict(splits=(28,)), "Expected 1 ascending splits"),
        (dict(splits=(7,)), "divisible by 2, got 7"),
        (dict(valid_bins=22), "divisible by 4, got 22"),
        (dict(patch_shift=7), "Expected patch_shift to divide patch_frames"),
    ),
)
def test_impossible_configuration_is_an_error(change, message):
    with pytest.raises(ValueError, match=message):
        D3NetConfig.from_dict({**TINY.to_dict(), **change})


def test_impossible_path_is_an_error():
    with pytest.raises(ValueError, match="odd number of D3 blocks.*got 2, 2 and 2"):
        PathConfig(4, (2, 2), (1, 1), (1, 1))
    with pytest.raises(ValueError, match="numbers of a path to be at least 1"):
        PathConfig(4, (2,), (0,), (1,))


def test_unknown_name_and_too_many_bins_are_errors():
    with pytest.raises(ValueError, match="Unknown D3Net 'piano'; known are .*'vocals'"):
        configuration("piano", 4096)
    with pytest.raises(ValueError, match="needs 24 valid bins.*32 samples has 17"):
        configuration(TINY, 32)


def double(x):
    return torch.stack([x, 2 * x])


@pytest.mark.parametrize("n_overlapping", (1, 2, 4))
@pytest.mark.parametrize("n_frames", (1, 4, 7, 8, 9, 15, 16, 17, 32, 37))
def test_patches_of_a_pointwise_estimator_equal_the_whole(n_frames, n_overlapping):
    magnitudes = torch.rand(n_frames, 2, 2, 5)
    estimates = overlap_add_patches(double, magnitudes, 8, 8 // n_overlapping)
    torch.testing.assert_close(estimates, torch.stack([magnitudes, 2 * magnitudes]))


@pytest.mark.parametrize("batch", (1, 3, 100))
@pytest.mark.parametrize("size", (1, 5, 37))
def test_patches_of_a_stream_equal_those_of_the_whole(size, batch):
    weights = torch.rand(8, 1, 1, 1)  # an estimate depends on where in a patch a frame is
    magnitudes = torch.rand(37, 2, 2, 5)
    whole = overlap_add_patches(lambda x: (weights * x)[None], magnitudes, 8, 4)
    parts = stream_patches(lambda x: (weights * x)[None], magnitudes.split(size), 8, 4, batch=batch)
    torch.testing.assert_close(torch.cat(list(parts), dim=1), whole)


def test_no_frames_have_no_estimates():
    assert list(stream_patches(double, [], 8, 4)) == []


def test_flip_average_is_symmetric_in_the_channels():
    weights = torch.tensor([1.0, 3.0])[:, None]
    magnitudes = torch.rand(9, 1, 2, 5)
    both = averaged_over_flip(lambda x: (x * weights)[None])
    torch.testing.assert_close(both(magnitudes)[0], 2 * magnitudes)

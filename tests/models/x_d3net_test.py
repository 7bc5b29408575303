"""What X-D3Net promises beyond the laws of all models (laws_test.py)."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from asteroid_xscheme.bridge import average
from asteroid_xscheme.losses import MultiDomainLoss
from asteroid_xscheme.models import XD3Net
from asteroid_xscheme.models.d3net_config import D3NetConfig, PathConfig

from tests.rounding import NETWORK

SOURCES = ["bass", "drums", "vocals"]
TINY = D3NetConfig(
    valid_bins=24,
    splits=(8,),
    bands=(PathConfig(3, (2, 3, 2), (2, 2, 1), (2, 2, 2)), PathConfig(2, (1,), (1,), (1,))),
    full=PathConfig(2, (2, 3, 2), (1, 2, 1), (1, 2, 1)),
    final_growth=2,
    final_layers=2,
    patch_frames=8,
    patch_shift=4,
).to_dict()
OTHER_SPLIT = {**TINY, "splits": [12], "patch_frames": 16, "patch_shift": 8}


def model(sources=SOURCES, **options):
    sizes = dict(network=TINY, window_length=64, in_chan=64, n_hop=16, sample_rate=8000)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return XD3Net(sources, **{**sizes, **options}).eval()


def magnitudes(n_frames=13, n_channels=2):
    return torch.rand(n_frames, 2, n_channels, 33, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("network", (TINY, [TINY, OTHER_SPLIT, TINY]))
@pytest.mark.parametrize("method", ("estimate_magnitudes", "estimate_patches"))
def test_model_without_bridges_equals_separate_networks_bit_for_bit(network, method):
    together = model(bridge=False, network=network, above_valid="mixture")
    estimates = getattr(together, method)(magnitudes())
    for j, config in enumerate(together.configs):
        alone = model(SOURCES[j : j + 1], network=config.to_dict(), above_valid="mixture")
        alone.networks[0].load_state_dict(together.networks[j].state_dict())
        assert torch.equal(getattr(alone, method)(magnitudes())[0], estimates[j])


def test_single_network_estimates_the_valid_bins():
    alone = model(["vocals"], bridge=False)
    estimate = alone.networks[0](magnitudes().permute(1, 2, 0, 3))
    expected = alone.estimate_magnitudes(magnitudes())[0, ..., :24].permute(1, 2, 0, 3)
    torch.testing.assert_close(estimate, expected, **NETWORK)


def test_bridge_before_the_final_block_equals_the_bridges_of_its_parts():
    estimates = [
        model(bridge=points).estimate_magnitudes(magnitudes())
        for points in (["concat"], ["bands", "full"])
    ]
    torch.testing.assert_close(*estimates)


def test_own_map_of_the_first_block_is_the_skip_connection_and_the_mean_goes_down():
    bridged = model(bridge=["first_block"])
    paths = [network.full for network in bridged.networks]
    inputs = [torch.rand(1, 2, 4, 24) for _ in paths]
    own = [path.first_block(path.init(x)) for path, x in zip(paths, inputs)]
    shared = bridged.bridges("first_block", own)
    assert torch.equal(shared[0], average(own)) and not torch.equal(own[0], own[1])
    down = F.avg_pool2d(shared[2], 2)
    deep = paths[2].upsamplings[0](paths[2].blocks[1](down))
    expected = paths[2].blocks[2](torch.cat([deep, own[2]], dim=1))
    torch.testing.assert_close(paths[2].after_first_block(own[2], shared[2]), expected)


def test_bridges_between_equal_networks_change_nothing():
    bridged, alone = model(), model(bridge=False)
    for network in (*bridged.networks, *alone.networks):
        network.load_state_dict(bridged.networks[0].state_dict())
    torch.testing.assert_close(
        bridged.estimate_magnitudes(magnitudes()), alone.estimate_magnitudes(magnitudes())
    )


@pytest.mark.parametrize(
    "points, shapes",
    (
        (["first_block"], r"\[\(2, 8\), \(1, 16\), \(2, 24\)\] and \[\(2, 12\), \(1, 12\)"),
        (["init"], r"'init'.*\[\(3, 8\), .* and \[\(3, 12\)"),
        (True, "'first_block'"),
    ),
)
def test_bridge_between_different_shapes_is_an_error_that_gives_both(points, shapes):
    with pytest.raises(ValueError, match=shapes):
        model(network=[TINY, OTHER_SPLIT, TINY], bridge=points)


def test_different_networks_are_bridged_where_their_shapes_agree():
    mixed, alone = (
        model(network=[TINY, OTHER_SPLIT, TINY], bridge=points)
        for points in (["concat", "final"], [])
    )
    pairs = zip(*(each.estimate_magnitudes(magnitudes()) for each in (mixed, alone)))
    assert not any(torch.equal(bridged, own) for bridged, own in pairs)
    assert [(group.frames, group.shift) for group in mixed.patch_groups] == [(16, 8)]


@pytest.mark.parametrize("points, refused", ((["init"], True), (["bands", "final"], False)))
def test_official_networks_are_bridged_where_their_shapes_agree(points, refused):
    names = dict(network=["bass", "drums", "vocals"], window_length=4096, in_chan=4096)
    if refused:
        with pytest.raises(ValueError, match=r"\(32, 192\).*\(32, 128\)"):
            model(bridge=points, **names)
    else:
        assert [group.frames for group in model(bridge=points, **names).patch_groups] == [384]


def test_shares_above_the_valid_bins_add_up_to_the_mixture():
    mixture = magnitudes()
    above = model().estimate_magnitudes(mixture)[..., 24:]
    torch.testing.assert_close(above.sum(0), mixture[..., 24:])
    assert torch.equal(above[0], above[1])


def test_mixture_above_the_valid_bins_is_copied_as_in_the_official_networks():
    mixture = magnitudes()
    estimates = model(above_valid="mixture").estimate_magnitudes(mixture)
    assert all(torch.equal(estimate[..., 24:], mixture[..., 24:]) for estimate in estimates)


def frequency_loss(above_valid):
    """Loss of a perfect estimate of the valid bins, all of it from the bins above."""
    targets = torch.randn(2, 3, 2, 800, generator=torch.Generator().manual_seed(2))
    untrained = model(above_valid=above_valid)
    _, spectra = untrained.analyze(targets.flatten(0, 1))
    perfect = spectra.unflatten(1, (2, 3)).permute(2, 0, 1, 3, 4).clone()
    _, mixture = untrained.analyze(targets.sum(1))
    perfect[..., 24:] = untrained.estimate_magnitudes(mixture)[..., 24:]
    loss = MultiDomainLoss(
        window_length=64, in_chan=64, n_hop=16, spec_power=1, nb_channels=2,
        loss_combine_sources=True, loss_use_multidomain=False, mix_coef=10,
    )  # fmt: skip
    silence = torch.zeros_like(perfect)
    return loss((perfect, None), targets) / loss((silence, None), targets)


def test_loss_above_the_valid_bins_is_small_with_shares_and_large_with_copies():
    shared, copied = frequency_loss("share"), frequency_loss("mixture")
    assert shared < 0.1
    assert copied > 3 * shared


@pytest.mark.parametrize("as_type", (np.asarray, torch.as_tensor))
def test_statistics_start_the_input_of_every_network(as_type):
    mean, scale = np.linspace(0, 1, 33), np.linspace(1, 2, 33)
    started = model(input_mean=as_type(mean), input_scale=as_type(scale))
    for network in started.networks:
        np.testing.assert_allclose(network.in_offset.detach(), mean, rtol=1e-6)
        np.testing.assert_allclose(network.in_scale.detach(), scale, rtol=1e-6)
    assert started.get_model_args()["input_mean"] is None


@torch.no_grad()
def test_sources_of_an_untrained_network_add_up_to_the_mean_mixture():
    mean, scale = np.linspace(0, 1, 33), np.linspace(1, 2, 33)
    started = model(input_mean=mean, input_scale=scale)
    for network in started.networks:
        network.output_gate.linear.weight.zero_()
        network.output_gate.linear.bias.zero_()
    total = started.estimate_magnitudes(magnitudes()).sum(0)[..., :24]
    torch.testing.assert_close(total, torch.as_tensor(mean[:24]).float().expand_as(total))


def test_without_statistics_outputs_start_at_1_as_published():
    for network in model().networks:
        assert bool((network.out_scale == 1).all() and (network.out_offset == 1).all())


def test_unusable_statistics_are_an_error():
    with pytest.raises(ValueError, match=r"each of the 33 bins.*in_offset, got shape \(32,\)"):
        model(input_mean=np.zeros(32))
    with pytest.raises(ValueError, match="positive values in input_scale"):
        model(input_scale=np.zeros(33))


def test_unusable_choices_are_an_error():
    with pytest.raises(ValueError, match="above_valid must be one of .*'share', 'mixture'"):
        model(above_valid="silence")
    with pytest.raises(ValueError, match="each of the 3, got a list of 2"):
        model(network=["vocals", "bass"])


def test_named_networks_are_saved_with_their_full_configuration():
    small = model(network="small", in_chan=512, window_length=512)
    network = small.get_model_args()["network"]
    assert network["valid_bins"] == 200 and isinstance(network["bands"], list)


@pytest.mark.parametrize("bridge", (True, False))
def test_checkpointing_does_not_change_gradients(bridge):
    gradients = []
    for recompute in (False, True):
        trained = model(recompute=recompute, bridge=bridge).train()
        trained.estimate_magnitudes(magnitudes()).square().mean().backward()
        gradients.append({name: p.grad for name, p in trained.named_parameters()})
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("bridge", [True, False])
def test_songs_are_separated_in_the_requested_patches(bridge):
    asked = model(bridge=bridge)
    asked.separate_in_patches(13)  # an odd frame is left out, so that patches overlap by half
    built = model(bridge=bridge, network={**TINY, "patch_frames": 12, "patch_shift": 6})
    assert {(group.frames, group.shift) for group in asked.patch_groups} == {(12, 6)}
    assert asked.get_model_args() == built.get_model_args()
    expected = built.estimate_patches(magnitudes(40))
    assert torch.equal(asked.estimate_patches(magnitudes(40)), expected)


@pytest.mark.parametrize("bridge", (True, False))
@pytest.mark.parametrize("flip", (True, False))
def test_folded_model_gives_equal_patches(bridge, flip):
    plain = model(bridge=bridge)
    with torch.no_grad():
        expected = plain.estimate_patches(magnitudes(19), flip)
        estimates = plain.fold().estimate_patches(magnitudes(19), flip)
    assert (estimates - expected).abs().max() < 1e-5 * expected.abs().max()

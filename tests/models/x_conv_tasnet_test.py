"""What X-Conv-TasNet promises beyond the laws of all models (laws_test.py)."""

import pytest
import torch

from asteroid_xscheme.models import XConvTasNet
from asteroid_xscheme.models.source_conv_tasnet import ASTEROID_VARIANT
from asteroid_xscheme.dsp.stft import stft
from tests.rounding import NETWORK

SOURCES = ["bass", "drums", "vocals"]
SMALL = dict(n_filters=12, kernel_size=8, bn_chan=6, hid_chan=10, n_blocks=3, n_repeats=2)
SPECTROGRAM = dict(window_length=48, in_chan=64, n_hop=16)
SMALL_ASTEROID = {**ASTEROID_VARIANT, "skip_chan": 5}
VARIANTS = ({}, SMALL_ASTEROID)
POINTS = ("encoder", "bottleneck", "repeat1", "repeat2", "separator")


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def model(sources=SOURCES, **options):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return XConvTasNet(sources, **{**SMALL, **SPECTROGRAM, "sample_rate": 8000, **options})


@pytest.mark.parametrize("options", VARIANTS)
def test_model_without_bridges_equals_separate_networks_bit_for_bit(options):
    together, wav = model(bridge=False, **options), noise(2, 2, 203)
    for index, source in enumerate(SOURCES):
        alone = model([source], **options)
        alone.networks[0].load_state_dict(together.networks[index].state_dict())
        assert torch.equal(alone.forward_wav(wav)[:, 0], together.forward_wav(wav)[:, index])


def test_parameters_are_named_after_the_networks():
    assert {key.split(".")[0] for key in model().state_dict()} == {"networks"}
    assert {key.split(".")[1] for key in model().state_dict()} == {"0", "1", "2"}


def test_points_are_those_of_the_repeats():
    assert XConvTasNet.bridge_points[2:-1] == ("repeat1", "repeat2", "repeat3", "repeat4")
    assert model().bridge_points == POINTS
    with pytest.raises(ValueError, match=r"Unknown bridging point\(s\) \['repeat3'\]"):
        model(bridge=["repeat3"])


@pytest.mark.parametrize("point", POINTS)
def test_mask_multiplies_the_encoding_of_its_own_network(point):
    bridged = model(bridge=[point])
    bridged.networks[1].encoder.weight.data.zero_()
    estimates = bridged.forward_wav(noise(1, 2, 203))
    assert not estimates[:, 1].any()
    assert estimates[:, 0].any() and estimates[:, 2].any()


@pytest.mark.parametrize("options", VARIANTS)
def test_masks_use_the_same_features_after_the_last_bridge(options):
    bridged = model(bridge=["separator"], **options)
    for network in bridged.networks[1:]:
        for part in ("encoder", "decoder", "mask_conv"):
            getattr(network, part).load_state_dict(getattr(bridged.networks[0], part).state_dict())
    estimates = bridged.forward_wav(noise(1, 2, 203))
    torch.testing.assert_close(estimates[:, 1], estimates[:, 0])
    torch.testing.assert_close(estimates[:, 2], estimates[:, 0])


@pytest.mark.parametrize("options", VARIANTS)
def test_bridge_after_the_last_repeat_equals_the_bridge_before_the_mask(options):
    wav = noise(1, 2, 203)
    last, separator = (model(bridge=[p], **options) for p in ("repeat2", "separator"))
    assert torch.equal(last.forward_wav(wav), separator.forward_wav(wav))


@pytest.mark.parametrize("options", VARIANTS)
@pytest.mark.parametrize("bridge", (True, False, POINTS))
def test_every_trainable_parameter_has_a_gradient(options, bridge):
    """Distributed training stops at a parameter that takes no part."""
    bridged = model(bridge=bridge, **options)
    bridged.forward_wav(noise(2, 2, 203)).square().sum().backward()
    without = [n for n, p in bridged.named_parameters() if p.requires_grad and p.grad is None]
    assert not without


def test_joint_network_has_one_mask_per_source_and_no_bridge():
    joint = model(joint=True)
    assert len(joint.networks) == 1 and joint.bridge_points == ()
    assert joint.forward_wav(noise(2, 2, 203)).shape == (2, 3, 2, 203)
    assert joint.get_model_args().get("bridge", True) is True
    with pytest.raises(ValueError, match="Unknown bridging point"):
        model(joint=True, bridge=["separator"])


def test_joint_softmax_masks_add_up_to_the_mixture():
    joint, wav = model(joint=True, mask_act="softmax"), noise(1, 2, 200)
    network = joint.networks[0]
    whole = network.decoder(network.encoder_activation(network.encoder(wav)))
    torch.testing.assert_close(joint.forward_wav(wav).sum(1), whole)


def test_joint_and_checkpointing_are_saved_in_a_package():
    package = model(joint=True, checkpointing=True, skip_chan=5, stride=2).serialize()
    rebuilt, wav = XConvTasNet.from_pretrained(package), noise(1, 2, 100)
    assert rebuilt.joint and rebuilt.checkpointing
    expected = model(joint=True, skip_chan=5, stride=2).forward_wav(wav)
    assert torch.equal(rebuilt.forward_wav(wav), expected)


@pytest.mark.parametrize("options", VARIANTS)
def test_checkpointing_does_not_change_gradients(options):
    gradients = []
    for checkpointing in (False, True):
        trained = model(checkpointing=checkpointing, **options)
        trained.forward_wav(noise(2, 2, 203)).square().sum().backward()
        gradients.append([p.grad for p in trained.parameters() if p.requires_grad])
    torch.testing.assert_close(*gradients)


def kept_bytes(trained, wav):
    """Memory that a forward pass keeps for the backward pass, parameters not counted."""
    own = {parameter.data_ptr() for parameter in trained.parameters()}
    kept = {}

    def keep(tensor):
        if tensor.data_ptr() not in own:
            kept[tensor.data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        estimates = trained.forward_wav(wav)
    assert estimates.requires_grad
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def test_checkpointing_stores_less_than_half():
    sizes, wav = dict(SMALL, n_blocks=6, n_repeats=4), noise(1, 2, 2000)
    everything = kept_bytes(model(**sizes), wav)
    between_repeats = kept_bytes(model(checkpointing=True, **sizes), wav)
    one_repeat = everything / (3 * 4)
    assert between_repeats + one_repeat < 0.5 * everything


def test_silence_stays_silent():
    assert not model().forward_wav(torch.zeros(1, 2, 203)).any()
    assert not model(**SMALL_ASTEROID).forward_wav(torch.zeros(1, 2, 203)).any()


@pytest.mark.parametrize("options", VARIANTS)
@pytest.mark.parametrize("gain", (0.1, 10.0))
def test_estimates_follow_the_level_of_the_mixture(options, gain):
    bridged, wav = model(**options).double(), noise(1, 2, 203).double()
    expected = gain * bridged.forward_wav(wav)
    error = (bridged.forward_wav(gain * wav) - expected).abs().max() / expected.abs().max()
    assert error < 1e-8 / 1e-4  # what the norms add to a variance, over the least of these


def test_chunk_with_local_norms_equals_the_whole_away_from_its_ends():
    local, wav = model(norm_type="cLN"), noise(1, 2, 1000)
    reach = local.receptive_field // 2 + 8
    start, stop = 400, 800  # a multiple of the stride
    whole = local.forward_wav(wav)[..., start + reach : stop - reach]
    chunk = local.forward_wav(wav[..., start:stop])[..., reach:-reach]
    assert whole.shape[-1] > 200
    torch.testing.assert_close(chunk, whole, **NETWORK)


def test_chunk_with_global_norms_equals_the_whole_of_a_periodic_mixture():
    bridged, period = model(), noise(1, 2, 400)
    reach = bridged.receptive_field // 2 + 8
    whole = bridged.forward_wav(period.repeat(1, 1, 20))[..., 4000 + reach : 6000 - reach]
    chunk = bridged.forward_wav(period.repeat(1, 1, 5))[..., reach:-reach]
    assert (chunk - whole).norm() < 0.05 * whole.norm()


@pytest.mark.parametrize("power", (1, 2, 0.5))
def test_spectrograms_equal_those_of_the_time_signals(power):
    spectrograms, signals = model(spec_power=power)(noise(2, 2, 203))
    expected = stft(signals, torch.hann_window(48), 64, 16).abs() ** power
    assert spectrograms.shape == (3, 1 + 203 // 16, 2, 2, 33)
    torch.testing.assert_close(
        spectrograms, expected.permute(0, 4, 1, 2, 3), rtol=1e-4, atol=1.1e-6**power
    )


@pytest.mark.parametrize("power", (1, 2, 0.5))
def test_gradient_of_the_spectrograms_of_silence_is_finite(power):
    silent = model(spec_power=power)
    silent(torch.zeros(1, 2, 203))[0].sum().backward()
    assert all(p.grad.isfinite().all() for p in silent.parameters())


def test_spectrograms_are_computed_only_if_wanted():
    spectrograms, signals = model(return_spectrograms=False)(noise(1, 2, 203))
    assert spectrograms is None
    assert signals.shape == (3, 1, 2, 203)


def test_cost_grows_with_networks_and_hardly_with_masks():
    one, three, joint = model(["vocals"]), model(), model(joint=True)
    assert three.macs_per_second() == 3 * one.macs_per_second()
    per_mask = 12 * 6 + 2 * 12 * 8  # mask convolution and decoder, multiplications per frame
    assert joint.macs_per_second() == one.macs_per_second() + 2 * per_mask * 8000 / 4


def test_half_precision_trains_with_checkpointing():
    trained, wav = model(checkpointing=True), noise(2, 2, 203)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        spectrograms, signals = trained(wav)
    assert spectrograms.dtype == signals.dtype == torch.float32
    (spectrograms.mean() + signals.abs().mean()).backward()
    assert all(p.grad.isfinite().all() for p in trained.parameters())

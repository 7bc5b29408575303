"""One Conv-TasNet against asteroid's modules, published sizes, and plain restatements."""

import pytest
import torch
from asteroid.masknn import TDConvNet
from asteroid.masknn.convolutional import Conv1DBlock
from torch.utils.flop_counter import FlopCounterMode

from asteroid_xscheme.models.conv_tasnet import ConvTasNet
from asteroid_xscheme.models.conv_tasnet_config import ConvTasNetConfig
from asteroid_xscheme.models.source_conv_tasnet import ASTEROID_VARIANT, SourceConvTasNet
from asteroid_xscheme.models.temporal_block import hidden_features
from tests.rounding import NETWORK_IN_BFLOAT

SMALL = dict(n_filters=7, kernel_size=8, bn_chan=5, hid_chan=6, n_blocks=3, n_repeats=2)
SMALL_ASTEROID = {**ASTEROID_VARIANT, "skip_chan": 4}
VARIANTS = ({}, {"skip_chan": 4}, {**SMALL_ASTEROID, "skip_chan": 0}, SMALL_ASTEROID)


def noise(*shape, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)


def network(nb_channels=2, n_masks=1, **options):
    """A small network whose one-dimensional parameters are not where they start."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        built = ConvTasNet(nb_channels, n_masks, ConvTasNetConfig(**{**SMALL, **options}))
        for parameter in built.parameters():
            if parameter.dim() == 1:
                parameter.data += 0.3 * torch.rand_like(parameter)
    return built


def separate(net, wav):
    """The whole network by its steps."""
    encoding = net.encode(wav)
    stream, skips = net.bottleneck(encoding), None
    for index in range(len(net.repeats)):
        stream, skips = net.run_repeat(index, stream, skips)
    return net.decode(net.masks(stream if skips is None else skips), encoding, wav.shape[-1])


def separate_by_modules(net, wav):
    """The same written with asteroid's own modules; frames have to fit the length."""
    encoding = net.encoder_activation(net.encoder(wav))
    stream, skips = net.bottleneck_conv(net.bottleneck_norm(encoding)), 0
    for block in (block for repeat in net.repeats for block in repeat):
        outputs = block(stream)
        stream = stream + (outputs[0] if net.skip_chan else outputs)
        skips = skips + (outputs[1] if net.skip_chan else 0)
    scores = net.mask_conv(net.mask_prelu(skips if net.skip_chan else stream))
    masks = net.mask_activation(scores.reshape(len(wav), net.n_masks, *encoding.shape[1:]))
    estimates = [net.decoder(mask * encoding) for mask in masks.transpose(0, 1)]
    return torch.stack(estimates, dim=1)


@pytest.mark.parametrize(
    "n_masks, options, expected",
    (
        (1, {}, 10_781_264),
        (4, {}, 10_977_872),
        (1, ASTEROID_VARIANT, 13_406_289 + 20_480),
        (1, {**ASTEROID_VARIANT, "skip_chan": 0}, 10_812_497 + 20_480),
    ),
)
def test_default_sizes_have_the_published_number_of_parameters(n_masks, options, expected):
    with torch.device("meta"):
        net = ConvTasNet(2, n_masks, ConvTasNetConfig(**options))
    assert sum(parameter.numel() for parameter in net.parameters()) == expected


def test_default_sizes_have_the_published_receptive_field():
    with torch.device("meta"):
        assert ConvTasNet(2, 1).receptive_field == 81_860


@pytest.mark.parametrize("n_masks", (1, 3))
@pytest.mark.parametrize("options", VARIANTS)
def test_network_equals_its_asteroid_modules_in_values_and_gradients(n_masks, options):
    net = network(n_masks=n_masks, **options).double()
    wav = noise(2, 2, 8 + 4 * 20, dtype=torch.float64)
    plain = SourceConvTasNet(2, n_masks, ConvTasNetConfig(**{**SMALL, **options})).double()
    plain.load_state_dict(net.state_dict())
    torch.testing.assert_close(plain(wav), separate(net, wav))
    gradients = []
    for forward in (separate, separate_by_modules):
        net.zero_grad()
        estimates = forward(net, wav)
        estimates.square().sum().backward()
        gradients.append([p.grad for p in net.parameters() if p.requires_grad])
    torch.testing.assert_close(separate(net, wav), estimates)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("skip_chan", (0, 4))
def test_asteroid_variant_makes_the_masks_of_its_td_conv_net(skip_chan):
    net = network(n_masks=3, **{**SMALL_ASTEROID, "skip_chan": skip_chan})
    peer = TDConvNet(
        7,
        3,
        n_blocks=3,
        n_repeats=2,
        bn_chan=5,
        hid_chan=6,
        skip_chan=skip_chan,
        mask_act="sigmoid",
    )
    for ours, theirs in zip(_in_order_of(peer, net), peer.parameters(), strict=True):
        theirs.data = ours.data
    encoding = noise(2, 7, 30)
    stream, skips = net.bottleneck(encoding), None
    for index in range(2):
        stream, skips = net.run_repeat(index, stream, skips)
    masks = net.masks(skips if skip_chan else stream)
    torch.testing.assert_close(masks, peer(encoding))


def _in_order_of(peer, net):
    ours = (net.bottleneck_norm, net.bottleneck_conv, net.repeats, net.mask_prelu, net.mask_conv)
    assert [name for name, _ in peer.named_children()][:3] == ["bottleneck", "TCN", "mask_net"]
    return [parameter for module in ours for parameter in module.parameters()]


@pytest.mark.parametrize("norm_type", ("gLN", "cLN", "cgLN"))
@pytest.mark.parametrize("dilation, n_taps", ((1, 3), (2, 5), (16, 3), (1, 1)))
def test_gradients_of_a_block_equal_finite_differences(norm_type, dilation, n_taps):
    block = Conv1DBlock(3, 4, 2, n_taps, (n_taps - 1) * dilation // 2, dilation, norm_type).double()
    features = noise(2, 3, 9, dtype=torch.float64).requires_grad_()
    torch.testing.assert_close(hidden_features(block, features), block.shared_block(features))
    parameters = list(block.shared_block.parameters())
    assert torch.autograd.gradcheck(
        lambda *_: hidden_features(block, features), [features, *parameters]
    )


@pytest.mark.parametrize("options", VARIANTS)
def test_multiply_accumulates_equal_those_of_the_modules(options):
    net, n_frames = network(n_masks=3, **options), 50
    counter = FlopCounterMode(display=False)
    with counter:
        separate_by_modules(net, noise(1, 2, 8 + 4 * (n_frames - 1)))
    seconds = n_frames * net.stride / 8000
    unused = 5 * 6 * n_frames if net.skip_chan else 0  # asteroid computes the last residual
    assert counter.get_total_flops() / 2 - unused == pytest.approx(
        net.macs_per_second(8000) * seconds
    )


def test_default_sizes_use_every_weight_but_norms_and_prelus_once_per_frame():
    with torch.device("meta"):
        macs = ConvTasNet(2, 1).macs_per_second(44100)
    assert macs == (10_781_264 - 40 * (2 * 1024 + 2) - 512) * 4410


@pytest.mark.parametrize("n_samples", (1, 7, 8, 9, 12, 13, 100))
def test_last_samples_are_decoded_for_any_length(n_samples):
    net = network(encoder_activation="linear", mask_act="linear")
    wav = noise(1, 2, n_samples)
    estimates = separate(net, wav)
    assert estimates.shape == (1, 1, 2, n_samples)
    assert estimates[..., -1].all()


def test_samples_depend_on_the_mixture_within_the_receptive_field():
    net = network(norm_type="cLN")
    wav = noise(1, 2, 400).requires_grad_()
    separate(net, wav)[0, 0, :, 200].sum().backward()
    touched = wav.grad[0].abs().sum(0).nonzero()[:, 0]
    reach = net.receptive_field // 2 + 8
    assert 200 - reach <= touched.min() and touched.max() <= 200 + reach
    assert touched.max() - touched.min() > net.receptive_field // 2


@pytest.mark.parametrize("options", VARIANTS)
def test_only_the_separator_runs_in_half_precision(options):
    net = network(**options)
    wav = noise(2, 2, 88)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert net.encode(wav).dtype == torch.float32
        assert net.bottleneck(net.encode(wav)).dtype == torch.bfloat16
        half = separate(net, wav)
    half.square().sum().backward()
    full = separate(net, wav)
    assert half.dtype == torch.float32
    assert 0 < (half - full).norm() < NETWORK_IN_BFLOAT * full.norm()
    assert all(p.grad.isfinite().all() for p in net.parameters() if p.requires_grad)


@pytest.mark.parametrize(
    "options, message",
    (
        ({"conv_kernel_size": 4}, "odd conv_kernel_size, got 4"),
        ({"stride": 9}, "stride from 1 to kernel_size 8, got 9"),
        ({"mask_act": "softmax"}, "softmax needs joint=True"),
    ),
)
def test_impossible_option_is_an_error(options, message):
    with pytest.raises(ValueError, match=message):
        network(**options)

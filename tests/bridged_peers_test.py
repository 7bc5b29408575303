"""The X-scheme around other people's networks, as they are installed."""

import pytest
import torch
from asteroid.models import ConvTasNet, DPRNNTasNet, SuDORMRFNet

from asteroid_xscheme import BridgedNetworks, XSchemeOfMagnitudes, XUMX

SOURCES = ["bass", "drums", "other", "vocals"]
XUMX_NAMES = {
    "layer_enc.{}.enc.0": "fc1",
    "layer_enc.{}.enc.1": "bn1",
    "layer_lstm.{}": "lstm",
    "layer_dec.{}.dec.0": "fc2",
    "layer_dec.{}.dec.1": "bn2",
    "layer_dec.{}.dec.3": "fc3",
    "layer_dec.{}.dec.4": "bn3",
}


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def seeded(build, n_networks=4):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return [build() for _ in range(n_networks)]


@pytest.fixture
def open_unmix():
    """openunmix's network, imported without torchaudio, which it does not use."""
    peers = pytest.importorskip("benchmarks.peers")
    try:
        return peers.import_openunmix().model.OpenUnmix
    except peers.PeerError as error:
        pytest.skip(str(error))


def renamed(state, source):
    """The parameters of one source of an X-UMX under the names of Open-Unmix."""
    found = {
        name.removesuffix(f"_{source}").removeprefix("mean_scale."): value
        for name, value in state.items()
        if name.startswith("mean_scale.") and name.endswith(f"_{source}")
    }
    for theirs, ours in XUMX_NAMES.items():
        prefix = theirs.format(source) + "."
        found.update(
            {
                f"{ours}.{name.removeprefix(prefix)}": value
                for name, value in state.items()
                if name.startswith(prefix)
            }
        )
    return found


@pytest.fixture(params=(True, False), ids=("train", "eval"))
def umx_pair(open_unmix, request):
    """An X-UMX, and four Open-Unmix with its weights, bridged at the paper's points."""
    sizes = dict(hidden_size=8, nb_layers=1, max_bin=25)
    model = XUMX(SOURCES, window_length=64, in_chan=64, n_hop=16, **sizes)
    networks = [open_unmix(nb_bins=33, **sizes) for _ in SOURCES]
    for source, network in zip(SOURCES, networks):
        missing = network.load_state_dict(renamed(model.state_dict(), source), strict=False)
        assert not missing.unexpected_keys
        assert all(key.endswith("num_batches_tracked") for key in missing.missing_keys)
    bridged = BridgedNetworks(networks, ["lstm", "fc2"])
    return model.double().train(request.param), bridged.double().train(request.param)


def test_four_bridged_open_unmix_equal_x_umx_in_values_and_gradients(umx_pair):
    model, bridged = umx_pair
    magnitudes = noise(9, 2, 2, 33).double().abs()
    expected = model.estimate_magnitudes(magnitudes)
    estimates = torch.stack(bridged(magnitudes.permute(1, 2, 3, 0))).permute(0, 4, 1, 2, 3)
    torch.testing.assert_close(estimates, expected, rtol=1e-6, atol=1e-9)
    expected.square().sum().backward()
    estimates.square().sum().backward()
    gradients = {name: x.grad for name, x in model.named_parameters() if x.grad is not None}
    for source, network in zip(SOURCES, bridged.networks):
        wanted = renamed(gradients, source)
        found = {name: x.grad for name, x in network.named_parameters()}
        assert set(found) == set(wanted)
        for name, gradient in found.items():
            torch.testing.assert_close(gradient, wanted[name], rtol=1e-6, atol=1e-9)


def test_model_of_open_unmix_separates_like_x_umx_and_is_saved_by_name(open_unmix):
    sizes = dict(hidden_size=8, nb_layers=1, max_bin=25)
    stft = dict(window_length=64, in_chan=64, n_hop=16)
    expected = XUMX(SOURCES, **stft, **sizes).eval()
    args = {"nb_bins": 33, **sizes}
    model = XSchemeOfMagnitudes(open_unmix, SOURCES, ["lstm", "fc2"], args, **stft).eval()
    for source, network in zip(SOURCES, model.wrapped.networks):
        network.load_state_dict(renamed(expected.state_dict(), source), strict=False)
    wav = noise(1, 2, 400)
    torch.testing.assert_close(
        model.forward_wav(wav), expected.forward_wav(wav), rtol=1e-4, atol=1e-6
    )
    package = model.serialize()
    assert package["model_args"]["networks"] == "openunmix.model:OpenUnmix"
    again = XSchemeOfMagnitudes.from_pretrained(package, network=open_unmix).eval()
    assert torch.equal(again.forward_wav(wav), model.forward_wav(wav))


ASTEROID = {
    "ConvTasNet": (
        lambda: ConvTasNet(
            1, n_filters=8, kernel_size=8, stride=4, n_blocks=2, n_repeats=2, bn_chan=4,
            hid_chan=8, skip_chan=4,
        ),
        ["masker.bottleneck:output", "masker.TCN.1", "masker.mask_net"],
    ),
    "DPRNNTasNet": (
        lambda: DPRNNTasNet(
            1, n_filters=8, kernel_size=8, stride=4, bn_chan=4, hid_size=4, chunk_size=10,
            n_repeats=1,
        ),
        ["masker.net"],
    ),
    "SuDORMRFNet": (
        lambda: SuDORMRFNet(
            1, n_filters=8, kernel_size=9, stride=4, bn_chan=4, num_blocks=2, upsampling_depth=2,
            mask_act="relu",
        ),
        ["masker.sm"],
    ),
}  # fmt: skip


def demucs_network(name):
    module = pytest.importorskip(f"demucs.{name.lower()}")
    sizes = dict(audio_channels=2, channels=8, nfft=256, depth=3, samplerate=8000)
    more = dict(t_layers=1, t_heads=2, segment=0.5) if name == "HTDemucs" else {}
    return lambda: getattr(module, name)(["x"], **sizes, **more)


@pytest.fixture(params=[*ASTEROID, "HDemucs", "HTDemucs"])
def theirs(request):
    """Another package's network: a function that builds it, its points, and an input."""
    if request.param in ASTEROID:
        return (*ASTEROID[request.param], noise(2, 400))
    points = {"HDemucs": ["decoder.0", "tdecoder.0"], "HTDemucs": ["crosstransformer", "decoder.0"]}
    return demucs_network(request.param), points[request.param], noise(1, 2, 4000)


def test_peer_networks_are_independent_without_points_and_coupled_with_them(theirs):
    build, points, mixture = theirs
    networks = [network.eval() for network in seeded(build)]
    alone = [network(mixture) for network in networks]
    assert all(map(torch.equal, BridgedNetworks(networks, [])(mixture), alone))
    bridged = BridgedNetworks(networks, points).train()
    outputs = bridged(mixture)
    outputs[0].square().sum().backward()
    for network in networks:
        assert any(x.grad is not None and x.grad.any() for x in network.parameters())


def test_bridging_identical_peer_networks_changes_nothing(theirs):
    build, points, mixture = theirs
    networks = [network.eval() for network in seeded(build)]
    for network in networks[1:]:
        network.load_state_dict(networks[0].state_dict())
    alone = networks[0](mixture)
    for output in BridgedNetworks(networks, points)(mixture):
        torch.testing.assert_close(output, alone, rtol=1e-4, atol=1e-5)

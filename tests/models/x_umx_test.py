"""X-UMX: the parameters and outputs of asteroid's class and of Open-Unmix."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from asteroid_xscheme.weights import load_package
from asteroid_xscheme.models import XUMX
from tests.rounding import NETWORK

GOLDEN = Path(__file__).parents[1] / "golden"
SMALL = dict(window_length=64, in_chan=64, n_hop=16, hidden_size=8, nb_layers=2, max_bin=25)


def load_arrays(name):
    with np.load(GOLDEN / name) as arrays:
        return {key: torch.from_numpy(arrays[key]) for key in arrays}


@pytest.fixture(scope="module")
def official():
    """asteroid's model of the golden values, in our class and in eval mode."""
    return XUMX.from_pretrained(GOLDEN / "xumx_asteroid_checkpoint.pth").eval()


def test_outputs_equal_those_of_asteroid(official):
    golden = load_arrays("xumx_asteroid_io.npz")
    official.return_time_signals = True
    with torch.no_grad():
        spectrograms, signals = official(golden["mixture"])
    torch.testing.assert_close(spectrograms, golden["masked_spec"], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(signals, golden["time"], rtol=1e-5, atol=1e-6)


def test_outputs_of_the_folded_model_equal_those_of_asteroid(official):
    golden = load_arrays("xumx_asteroid_io.npz")
    with torch.no_grad():
        spectrograms, _ = official.fold()(golden["mixture"])
    torch.testing.assert_close(spectrograms, golden["masked_spec"], rtol=1e-5, atol=1e-5)


def test_parameters_and_arguments_have_the_names_and_order_of_asteroid(official):
    package = load_package(GOLDEN / "xumx_asteroid_checkpoint.pth")
    assert list(official.state_dict()) == list(package["state_dict"])
    assert official.get_model_args() == package["model_args"]
    assert {"encoder.0.window", "decoder.window"} < set(official.state_dict())


def test_waveform_keeps_the_end_that_asteroid_cuts_off(official):
    golden = load_arrays("xumx_asteroid_io.npz")
    with torch.no_grad():
        estimates = official.forward_wav(golden["mixture"])
    assert estimates.shape == (2, 4, 2, 11025)
    kept = estimates[..., : golden["time"].shape[-1]].transpose(0, 1)
    torch.testing.assert_close(kept, golden["time"], rtol=1e-5, atol=1e-6)


def network_of_open_unmix(state, source):
    """The state dict of an Open-Unmix under the names of one source of X-UMX."""
    places = {
        "fc1": f"layer_enc.{source}.enc.0",
        "bn1": f"layer_enc.{source}.enc.1",
        "lstm": f"layer_lstm.{source}",
        "fc2": f"layer_dec.{source}.dec.0",
        "bn2": f"layer_dec.{source}.dec.1",
        "fc3": f"layer_dec.{source}.dec.3",
        "bn3": f"layer_dec.{source}.dec.4",
    }
    named = {}
    for name, value in state.items():
        place, _, rest = name.partition(".")
        named[f"{places[place]}.{rest}" if rest else f"mean_scale.{name}_{source}"] = value
    return named


@pytest.mark.parametrize("sources", (["vocals"], ["vocals", "other"]))
def test_model_without_bridges_equals_open_unmix(sources):
    state = torch.load(GOLDEN / "openunmix_small_state_dict.pth", weights_only=True)
    model = XUMX(sources, 512, 512, 128, hidden_size=32, max_bin=187, bridge=False).eval()
    windows = {name: value for name, value in model.state_dict().items() if "window" in name}
    networks = [network_of_open_unmix(state, source) for source in sources]
    model.load_state_dict({key: v for part in (windows, *networks) for key, v in part.items()})
    golden = load_arrays("openunmix_small_io.npz")
    with torch.no_grad():
        estimates = model.estimate_magnitudes(golden["spec_in"].permute(3, 0, 1, 2))
    for estimate in estimates:
        torch.testing.assert_close(
            estimate.permute(1, 2, 3, 0), golden["spec_out"], rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize("nb_channels", (1, 2))
@pytest.mark.parametrize("bidirectional", (True, False))
@pytest.mark.parametrize("spec_power", (1, 2, 0.5))
@pytest.mark.parametrize("return_time_signals", (True, False))
def test_outputs_follow_every_option(nb_channels, bidirectional, spec_power, return_time_signals):
    model = XUMX(
        ["a", "b", "c"],
        nb_channels=nb_channels,
        bidirectional=bidirectional,
        spec_power=spec_power,
        return_time_signals=return_time_signals,
        **SMALL,
    ).eval()
    spectrograms, signals = model(torch.rand(3, 2, 441))
    assert spectrograms.shape == (3, 1 + 441 // 16, 3, nb_channels, 33)
    assert (spectrograms >= 0).all()
    if return_time_signals:
        assert signals.shape == (3, 3, nb_channels, 441 - 441 % 16)
    else:
        assert signals is None


@pytest.mark.parametrize("bidirectional", (True, False))
@pytest.mark.parametrize("spec_power", (1, 2))
@pytest.mark.parametrize("bridge", (True, False, ["encoder"], ["recurrent"]))
def test_folding_only_changes_rounding_for_every_option(trained, bidirectional, spec_power, bridge):
    options = dict(bidirectional=bidirectional, spec_power=spec_power, bridge=bridge)
    model = trained(XUMX(["a", "b"], **options, **SMALL)).eval()
    magnitudes = torch.rand(9, 3, 2, 33)
    expected = model.estimate_magnitudes(magnitudes)
    error = (model.fold().estimate_magnitudes(magnitudes) - expected).norm() / expected.norm()
    assert error < 1e-5


def test_folded_model_has_one_product_for_all_encoders():
    folded = XUMX(["a", "b", "c"], **SMALL).fold()
    assert folded.layer_enc.linear.weight.shape == (3 * 8, 2 * 25)
    names = {type(module).__name__ for module in folded.modules()}
    assert "BatchNorm1d" not in names and not folded.mean_scale


def test_default_arguments_equal_those_of_asteroid():
    with torch.device("meta"):
        model = XUMX(["vocals"])
    expected = dict(window_length=4096, in_chan=4096, n_hop=1024, hidden_size=512, nb_channels=2,
                    sample_rate=44100, nb_layers=3, input_mean=None, input_scale=None,
                    max_bin=2049, bidirectional=True, spec_power=1, return_time_signals=False,
                    sources=["vocals"])  # fmt: skip
    assert model.get_model_args() == expected


def test_same_seed_gives_the_same_weights_for_any_bridge():
    states = []
    for bridge in (True, False):
        torch.manual_seed(0)
        states.append(XUMX(["a", "b"], bridge=bridge, **SMALL).state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_estimates_do_not_depend_on_the_order_of_sources(trained):
    model = trained(XUMX(["a", "b", "c"], **SMALL)).eval()
    other = XUMX(["c", "a", "b"], **SMALL).eval()
    other.load_state_dict(model.state_dict())
    wav = torch.randn(1, 2, 200)
    estimates, moved = model.forward_wav(wav), other.forward_wav(wav)
    torch.testing.assert_close(moved, estimates[:, [2, 0, 1]], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("as_type", (np.asarray, torch.tensor, list))
def test_statistics_start_the_normalisation_of_every_source(as_type):
    mean, scale = np.linspace(1, 2, 33), np.linspace(3, 4, 33)
    model = XUMX(["a", "b"], input_mean=as_type(mean), input_scale=as_type(scale), **SMALL)
    for source in "ab":
        start = model.mean_scale[f"input_mean_{source}"], model.mean_scale[f"input_scale_{source}"]
        torch.testing.assert_close(start[0].data, torch.tensor(-mean[:25], dtype=torch.float32))
        torch.testing.assert_close(start[1].data, torch.tensor(1 / scale[:25]).float())
    assert model.get_model_args()["input_mean"] is None


def test_normalisation_equals_that_of_open_unmix():
    mean, scale = torch.rand(33) + 1, torch.rand(33) + 1
    model = XUMX(["a"], input_mean=mean, input_scale=scale, **SMALL).eval()
    plain = XUMX(["a"], **SMALL).eval()
    networks = {name: v for name, v in model.state_dict().items() if "input" not in name}
    plain.load_state_dict(networks, strict=False)
    magnitudes = 3 + torch.rand(7, 2, 2, 33)
    normalized = (magnitudes - mean) / scale
    mask = model.estimate_magnitudes(magnitudes) / magnitudes
    expected = plain.estimate_magnitudes(normalized) / normalized
    torch.testing.assert_close(mask, expected, **NETWORK)


@pytest.mark.parametrize(
    "wrong, message",
    (
        (dict(input_mean=np.zeros(24)), r"input_mean of shape \(>= 25,\).*got \(24,\)"),
        (dict(input_scale=np.zeros(33)), "positive values in input_scale"),
        (dict(max_bin=34), "within the 33 bins"),
        (dict(bridge="decoder"), "'decoder'.*'encoder', 'recurrent'"),
        (dict(window_length=65), "window_length of at most 64"),
        (dict(hidden_size=9), "even hidden_size"),
    ),
)
def test_impossible_arguments_are_errors_that_name_them(wrong, message):
    with pytest.raises(ValueError, match=message):
        XUMX(["a"], **{**SMALL, **wrong})


def test_numpy_integer_bins_are_saved_as_plain_integers():
    args = XUMX(["a"], **{**SMALL, "max_bin": np.int64(25)}).serialize()["model_args"]
    assert type(args["max_bin"]) is int


def test_one_recurrent_layer_needs_no_dropout_and_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = XUMX(["a"], **{**SMALL, "nb_layers": 1})
    assert model.layer_lstm["a"].dropout == 0
    assert XUMX(["a"], **SMALL).layer_lstm["a"].dropout == 0.4


@pytest.mark.parametrize("spec_power", (1, 2))
def test_masks_of_one_return_the_mixture_for_any_power(spec_power):
    model = XUMX(["a"], spec_power=spec_power, **SMALL).eval()
    torch.nn.init.zeros_(model.mean_scale["output_scale_a"])
    wav = torch.randn(1, 2, 333)
    torch.testing.assert_close(model.forward_wav(wav)[0, 0], wav[0], rtol=0, atol=1e-5)


def test_mono_model_with_masks_of_one_returns_a_mono_mixture():
    model = XUMX(["a"], nb_channels=1, **SMALL).eval()
    torch.nn.init.zeros_(model.mean_scale["output_scale_a"])
    wav = torch.randn(1, 1, 333)
    torch.testing.assert_close(model.forward_wav(wav)[0, 0], wav[0], rtol=0, atol=1e-5)


def test_window_is_stored_once_and_not_trained():
    model = XUMX(["a"], **SMALL)
    assert model.encoder[0].window is model.decoder.window is model.window
    assert not model.window.requires_grad


def test_training_updates_running_statistics():
    model = XUMX(["a"], **SMALL).train()
    model(torch.randn(2, 2, 200))
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm1d)]
    assert len(norms) == 3
    assert all(norm.num_batches_tracked == 1 and norm.running_mean.any() for norm in norms)

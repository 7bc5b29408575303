"""Packages from others: arguments and weights that do not fit are named in one line."""

import pytest
import torch
from asteroid.models import ConvTasNet

from asteroid_xscheme.models import BridgedModel, XConvTasNet
from asteroid_xscheme.weights import CheckpointError, save_package

from .conftest import WEIGHT, assert_refused


@pytest.fixture
def conv_tasnet():
    sizes = dict(n_filters=12, kernel_size=8, bn_chan=6, hid_chan=10, n_blocks=2, n_repeats=2)
    stft = dict(window_length=64, in_chan=64, n_hop=16)
    return XConvTasNet(["a", "b"], sample_rate=8000, nb_channels=2, **stft, **sizes).serialize()


# Arguments


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"sample_rate": None}, "Expected sample_rate to be a finite number, got None"),
        ({"sample_rate": "44100"}, "Expected sample_rate to be a finite number, got '44100'"),
        ({"sample_rate": float("inf")}, "Expected sample_rate to be a finite number, got inf"),
        ({"sample_rate": 1e30}, "Expected sample_rate as a number from 1 to 1000000 Hz"),
        ({"n_hop": 0}, "Expected n_hop to be a whole number from 1 to 1048576, got 0"),
        ({"n_hop": 16.5}, "Expected n_hop to be a whole number, got 16.5"),
        ({"flavour": "sweet"}, "got an unexpected keyword argument 'flavour'"),
        ({"self": 1}, "got an unexpected keyword argument 'self'"),
        ({"sources": [1, 2]}, "Expected sources to be a list, each a string"),
        ({"bidirectional": "no"}, "Expected bidirectional to be True or False, got 'no'"),
        ({"spec_power": 0}, "Expected spec_power to be a positive number, got 0"),
        ({"input_mean": [1.0]}, "Expected input_mean of shape"),
        ({"hidden_size": 10**6}, "they ask for far more parameters than the file has"),
        (
            {"sources": [str(n) for n in range(3000)]},
            "ask for far more parameters than the file has",
        ),
        ({"nb_layers": 10**7}, "Expected nb_layers to be a whole number from 1 to 1048576"),
    ],
)
def test_invalid_argument_is_named(model_package, path, arguments, words):
    model_package["model_args"].update(arguments)
    torch.save(model_package, path)
    assert_refused(path, f"bad.pth: its arguments do not build a XUMX: .*{words}")


def test_missing_argument_is_named(model_package, path):
    del model_package["model_args"]["sources"]
    torch.save(model_package, path)
    assert_refused(path, "do not build a XUMX: missing a required argument: 'sources'")


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"n_repeats": 10**9}, "Expected n_repeats to be a whole number from 1 to 1048576"),
        ({"n_repeats": 10**6}, "ask for far more parameters than the file has"),
        ({"n_blocks": 100}, "ask for far more parameters than the file has"),
        ({"stride": 0}, "Expected a stride from 1 to kernel_size 8, got 0"),
        ({"norm_type": "nosuch"}, "normalization identifier: nosuch"),
        ({"skip_chan": -1}, "negative dimension"),
    ],
)
def test_useless_or_huge_conv_tasnet_is_refused(conv_tasnet, path, arguments, words):
    conv_tasnet["model_args"].update(arguments)
    torch.save(conv_tasnet, path)
    assert_refused(path, f"do not build a XConvTasNet: .*{words}")


def test_model_of_asteroid_that_is_not_bridged_is_named(path):
    sizes = dict(n_filters=8, kernel_size=4, bn_chan=4, hid_chan=4, skip_chan=4)
    model = ConvTasNet(n_src=2, **sizes, n_blocks=1, n_repeats=1, sample_rate=8000)
    save_package(model.serialize(), path)
    assert_refused(path, "'ConvTasNet', which is not a known bridged model.*Expected XUMX, XD3Net")


@pytest.mark.parametrize("name", ["NoSuch", "BaseModel", "get", "__builtins__"])
def test_name_that_is_not_a_bridged_model_is_reported(model_package, path, name):
    torch.save({**model_package, "model_name": name}, path)
    assert_refused(path, f"holds a model '{name}', which is not a known bridged model")


# Weights


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda weight: None, f"{WEIGHT} is missing"),
        (lambda weight: weight[:3], rf"{WEIGHT} has the shape \[3, 16\], expected \[8, 16\]"),
        (lambda weight: weight[0, 0], rf"{WEIGHT} has the shape \[\], expected \[8, 16\]"),
        (
            lambda weight: weight.long(),
            f"{WEIGHT} has the type torch.int64, expected torch.float32",
        ),
        (lambda weight: weight > 0, f"{WEIGHT} has the type torch.bool, expected torch.float32"),
        (lambda weight: weight.cfloat(), f"{WEIGHT} has the type torch.complex64, expected"),
    ],
)
def test_weight_that_does_not_fit_is_named(model_package, path, change, words):
    changed = change(model_package["state_dict"].pop(WEIGHT))
    if changed is not None:
        model_package["state_dict"][WEIGHT] = changed
    torch.save(model_package, path)
    assert_refused(path, f"bad.pth: its weights do not fit the model: {words}")


def test_weight_unknown_to_the_model_is_named(model_package, path):
    model_package["state_dict"]["more"] = torch.zeros(3)
    torch.save(model_package, path)
    assert_refused(path, "its weights do not fit the model: more is not part of the model")


def test_file_without_weights_names_three_and_counts_the_rest(model_package, path):
    torch.save({**model_package, "state_dict": {}}, path)
    assert_refused(path, r"do not fit the model: (\S+ is missing(, | and )){3}\d+ more")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weight_that_is_not_finite_is_named_on_load_and_on_save(model_package, path, value):
    model_package["state_dict"][WEIGHT].view(-1)[3] = value
    torch.save(model_package, path)
    assert_refused(
        path, f"weights are not finite: {WEIGHT}. The training that produced them diverged"
    )
    with pytest.raises(CheckpointError, match=f"the package: .*not finite: {WEIGHT}"):
        save_package(model_package, path.with_name("new.pth"))
    assert not path.with_name("new.pth").exists()


def test_weights_whose_sum_overflows_are_finite(model_package, path):
    model_package["state_dict"][WEIGHT].fill_(3e38)
    model = BridgedModel.from_pretrained(save_package(model_package, path))
    assert (model.state_dict()[WEIGHT] == 3e38).all()


def test_unmodified_packages_of_this_module_load(model_package, conv_tasnet, path):
    for good in (model_package, conv_tasnet):
        torch.save(good, path)
        assert type(BridgedModel.from_pretrained(path)).__name__ == good["model_name"]

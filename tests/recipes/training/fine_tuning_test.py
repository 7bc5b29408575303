"""Pretrained weights are matched by source, name and shape, and listed for the user."""

import sys

import pytest
import torch

from asteroid_xscheme.models import BridgedModel
from asteroid_xscheme.recipes.config import Config, ConfigError
from asteroid_xscheme.recipes.run import PretrainedWeights
from asteroid_xscheme.recipes.stages import run_stage
from asteroid_xscheme.recipes.training import train
from asteroid_xscheme.weights import save_package

pytestmark = pytest.mark.filterwarnings(
    # advice for long runs that a run of seconds does not need:
    "ignore:The '.*_dataloader' does not have many workers",
)

ARCHITECTURES = ["XUMX", "XD3Net", "XConvTasNet", "XScheme"]


@pytest.fixture
def make_model(make_config):
    def make(architecture, sources, seed=0, **options):
        config = make_config(architecture, model=options)
        args = config.model.model_args(8000)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model_class = config.model.model_class(architecture)
            return model_class(sources=sources, sample_rate=8000, **args)

    return make


def own(model, source):
    return model.weights_by_source()[source]


def same(one, other):
    assert one.keys() == other.keys()
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_networks_are_copied_to_sources_of_the_same_name(architecture, make_model):
    old = make_model(architecture, ["bass", "drums", "vocals"])
    new = make_model(architecture, ["vocals", "bass", "drums"], seed=1)
    weights = PretrainedWeights(new, old, "old.pth", {})
    weights.give()
    assert weights.are_whole
    assert all(same(own(new, source), own(old, source)) for source in old.sources)
    assert str(weights) == "Weights of old.pth\n  taken: vocals; bass; drums"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_new_source_starts_from_its_mapped_source_or_from_scratch(architecture, make_model):
    old = make_model(architecture, ["vocals", "other"])
    new = make_model(architecture, ["guitar", "piano", "vocals"], seed=1)
    before = {name: tensor.clone() for name, tensor in own(new, "guitar").items()}
    weights = PretrainedWeights(new, old, "old.pth", {"piano": "other", "vocals": "other"})
    weights.give()
    assert not weights.are_whole
    assert same(own(new, "piano"), own(old, "other")) and same(own(new, "guitar"), before)
    assert same(own(new, "vocals"), own(old, "other"))  # what is asked for goes before the name
    assert str(weights).splitlines()[1:] == [
        "  taken: piano from other; vocals from other",
        "  new:   guitar",
        "  left:  vocals",
    ]


def test_other_bandwidth_reinitialises_the_layers_that_read_the_band(make_model):
    old = make_model("XUMX", ["vocals", "other"])
    new = make_model("XUMX", ["vocals", "other"], seed=1, bandwidth=2000)
    weights = PretrainedWeights(new, old, "old.pth", {})
    weights.give()
    band = {"layer_enc.enc.0.weight", "input_mean", "input_scale"}
    differing = {
        name
        for name, tensor in own(new, "vocals").items()
        if tensor.shape != own(old, "vocals")[name].shape
    }
    assert differing == band and not weights.are_whole
    assert all(
        torch.equal(tensor, own(old, "vocals")[name])
        for name, tensor in own(new, "vocals").items()
        if name not in band
    )
    new_line, left_line = str(weights).splitlines()[2:]
    assert new_line.startswith("  new:   vocals, other: layer_enc.enc.0.weight [8, 34], input_mean")
    assert left_line.startswith("  left:  vocals, other: layer_enc.enc.0.weight [8, 50]")


@pytest.mark.parametrize("architecture", ["XUMX", "XD3Net", "XConvTasNet"])
def test_weights_that_fit_are_kept_for_another_number_of_channels(architecture, make_model):
    old = make_model(architecture, ["vocals"], nb_channels=1)
    new = make_model(architecture, ["vocals"], seed=1)
    weights = PretrainedWeights(new, old, "old.pth", {})
    weights.give()
    taken = [
        name
        for name, tensor in own(new, "vocals").items()
        if tensor.shape == own(old, "vocals")[name].shape
    ]
    assert 0.5 * len(own(new, "vocals")) < len(taken) < len(own(new, "vocals"))
    assert all(torch.equal(own(new, "vocals")[n], own(old, "vocals")[n]) for n in taken)


def test_masks_of_a_joint_network_follow_their_sources(make_model):
    old = make_model("XConvTasNet", ["bass", "drums"], joint=True)
    new = make_model("XConvTasNet", ["drums", "piano"], seed=1, joint=True)
    PretrainedWeights(new, old, "old.pth", {}).give()
    n_filters = old.config.n_filters
    masks = [model.networks[0].mask_conv.weight for model in (new, old)]
    assert torch.equal(masks[0][:n_filters], masks[1][n_filters:])
    assert torch.equal(new.networks[0].encoder.weight, old.networks[0].encoder.weight)


@pytest.mark.parametrize(
    "sources, starts, message",
    [
        (
            ["piano"],
            {},
            "No weights of old.pth fit: it has the sources vocals, other, but the options ask for "
            "piano",
        ),
        (["piano"], {"flute": "other"}, "'flute' is not one of the sources, piano"),
        (["piano"], {"piano": "flute"}, "old.pth has vocals, other, not 'flute'"),
    ],
)
def test_incompatible_weights_are_refused(sources, starts, message, make_model):
    old, new = make_model("XUMX", ["vocals", "other"]), make_model("XUMX", sources)
    with pytest.raises(ConfigError, match=message):
        PretrainedWeights(new, old, "old.pth", starts)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"hidden_size": 16}, "hidden_size is 8, the options say 16"),
        ({"nhop": 32}, "n_hop is 16, the options say 32"),
        ({"bridge": False}, "bridge is default, the options say False"),
    ],
)
def test_incompatibility_without_a_shape_mismatch_is_refused(options, message, make_model):
    old, new = (make_model("XUMX", ["vocals"], **of) for of in ({}, options))
    with pytest.raises(ConfigError, match=message):
        PretrainedWeights(new, old, "old.pth", {})


def test_model_without_separable_sources_is_loaded_whole_or_refused(make_model):
    class Mine(type(make_model("XUMX", ["a"]))):
        weights_by_source = BridgedModel.weights_by_source

    sizes = dict(window_length=64, in_chan=64, n_hop=16, hidden_size=8, sample_rate=8000)
    old, new = Mine(["a", "b"], **sizes), Mine(["b", "a"], **sizes)
    with pytest.raises(ConfigError, match="define weights_by_source"):
        PretrainedWeights(new, old, "old.pth", {})
    assert PretrainedWeights(Mine(["a", "b"], **sizes), old, "old.pth", {}).are_whole


@pytest.mark.parametrize(
    "options",
    [
        {"pretrained": "x", "pretrained_map": ["piano"]},
        {"pretrained": "x", "pretrained_map": ["a=b", "a=c"]},
        {"pretrained_map": ["a=b"]},
    ],
)
def test_meaningless_pretrained_map_is_refused(options):
    with pytest.raises(ConfigError, match="pretrained_map (must be NEW=OLD|needs pretrained)"):
        Config.from_dict({"training": options})


def test_command_line_fine_tunes_to_other_sources_and_resumes_with_the_map(
    make_config, make_model, tmp_path, monkeypatch, capsys
):
    old = make_model("XUMX", ["drums", "other"])
    save_package(old.serialize(), tmp_path / "old.pth")
    config = make_config(data={"sources": ["bass", "drums"]}, training={"epochs": 1})
    (tmp_path / "conf.yml").write_text(config.to_yaml(), encoding="utf-8")
    run = ["--conf", str(tmp_path / "conf.yml"), "--exp_dir", str(tmp_path / "run")]
    tune = ["--pretrained", str(tmp_path / "old.pth"), "--bandwidth", "2000", "--lr", "1e-12"]

    def stage(*starts):
        monkeypatch.setattr(sys, "argv", ["train.py", *run, *tune, "--pretrained_map", *starts])
        run_stage("Train.", train)

    stage("bass=other")
    said = capsys.readouterr().out
    assert "taken: bass from other (35 of 38 tensors); drums (35 of 38 tensors)" in said
    assert "new:   bass, drums: layer_enc.enc.0.weight" in said and "left:  " in said
    tuned = BridgedModel.from_pretrained(str(tmp_path / "run" / "best_model.pth"))
    assert torch.allclose(  # a learning rate of 1e-12 moves nothing
        own(tuned, "bass")["layer_lstm.weight_ih_l0"], own(old, "other")["layer_lstm.weight_ih_l0"]
    )
    assert not torch.equal(own(tuned, "bass")["input_mean"], torch.zeros(17))  # measured
    with pytest.raises(SystemExit, match="pretrained_map, bass was other, is now drums"):
        stage("bass=drums")

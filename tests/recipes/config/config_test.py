"""Options: read, converted, checked, written, and overridden by a command line."""

import argparse
from pathlib import Path

import pytest
import yaml

from asteroid_xscheme.recipes.config import (
    ARCHITECTURES,
    GROUPS,
    Config,
    ConfigError,
    DataConfig,
    max_bin,
)

RECIPES = Path(__file__).parents[3] / "egs" / "musdb18"
CONF_FILES = sorted(RECIPES.glob("*/local/*.yml"))


def parse(conf, *argv):
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--exp_dir")
    return Config.parse(conf, parser, argv)[0]


@pytest.fixture
def conf(tmp_path):
    path = tmp_path / "conf.yml"
    path.write_text("optim:\n  lr: 1e-4\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("path", CONF_FILES, ids=lambda path: "/".join(path.parts[-3:]))
def test_recipe_conf_explains_every_option_as_the_code_does(path):
    assert path.read_text(encoding="utf-8") == Config.from_yaml(path).to_yaml()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_option_names_are_unique_over_all_groups(architecture):
    config = Config.from_dict({"model": {"architecture": architecture}})
    names = [name for group in config.to_dict().values() for name in group]
    assert len(names) == len(set(names))


def test_official_x_umx_settings_match_the_paper():
    config = Config.from_yaml(RECIPES / "X-UMX" / "local" / "conf.yml")
    assert config.model.model_args(44100) == {
        "bridge": True,
        "window_length": 4096,
        "in_chan": 4096,
        "n_hop": 1024,
        "hidden_size": 512,
        "nb_layers": 3,
        "bidirectional": True,
        "max_bin": 1487,
        "nb_channels": 2,
        "spec_power": 1,
    }
    assert (config.training.batch_size, config.training.epochs) == (14, 1000)
    assert (config.optim.lr, config.optim.weight_decay) == (1e-3, 1e-5)
    assert (config.optim.lr_decay_gamma, config.optim.lr_decay_patience) == (0.3, 80)
    assert (config.data.seq_dur, config.data.samples_per_track) == (6.0, 64)
    assert (config.data.gain_min, config.data.gain_max) == (0.25, 1.25)
    assert config.loss.mix_coef == 10.0


def test_official_d3net_settings_match_its_paper():
    config = Config.from_yaml(RECIPES / "X-D3Net" / "local" / "conf.yml")
    assert config.optim.scheduler == "steps" and config.optim.lr_decay_epochs == [40]
    assert (config.optim.lr, config.optim.lr_decay_gamma) == (1e-3, 0.1)
    assert config.optim.weight_decay == 1e-4
    assert (config.training.epochs, config.training.batch_size) == (50, 6)
    assert (config.data.gain_min, config.data.gain_max) == (0.75, 1.25)
    n_samples = int(config.data.seq_dur * config.data.sample_rate)
    assert 1 + n_samples // config.model.nhop == 256
    assert config.training.val_dur is None  # patches are validated as they are trained


def test_dictionary_and_yaml_round_trip():
    config = Config.from_dict(
        {"model": {"bridge": ["encoder"]}, "data": {"valid_tracks": ["a: b"]}}
    )
    assert Config.from_dict(config.to_dict()) == config
    assert Config.from_dict(yaml.safe_load(config.to_yaml())) == config


def test_command_line_overrides_the_file_and_the_file_the_defaults(conf):
    assert parse(conf).optim.lr == 1e-4
    assert parse(conf, "--lr", "0.1").optim.lr == 0.1
    assert parse(conf).optim.weight_decay == 1e-5


def test_help_shows_the_values_of_the_file_as_defaults(conf, capsys):
    with pytest.raises(SystemExit):
        parse(conf, "--help")
    words = " ".join(capsys.readouterr().out.split())
    assert (
        "initial learning rate [0.0001]" in words and "weight decay (L2 penalty) [1e-05]" in words
    )


def test_lists_are_given_on_the_command_line(conf):
    assert parse(conf, "--sources", "vocals", "drums").data.sources == ["vocals", "drums"]
    assert parse(conf, "--sources", "vocals").data.sources == ["vocals"]


@pytest.mark.parametrize(
    "given, expected",
    [("yes", True), ("false", False), ("encoder", ["encoder"])],
)
def test_bridge_is_yes_no_or_names(conf, given, expected):
    assert parse(conf, "--bridge", given).model.bridge == expected


def test_network_is_one_name_or_several(tmp_path):
    conf = tmp_path / "conf.yml"
    conf.write_text("model: {architecture: XD3Net}\n", encoding="utf-8")
    assert parse(conf, "--network", "small").model.network == "small"
    assert parse(conf, "--network", "small", "bass").model.network == ["small", "bass"]


@pytest.mark.parametrize(
    "devices, number", [("auto", None), ("3", 3), ("0,1", 2), ("2,", 1)], ids=str
)
def test_devices_set_the_number_of_processes(conf, devices, number):
    assert parse(conf, "--devices", devices).training.n_processes == number


def test_none_is_written_as_a_word(conf):
    assert parse(conf, "--gradient_clipping", "none").training.gradient_clipping is None
    assert parse(conf, "--valid_tracks", "none").data.valid_tracks is None


def test_booleans_and_numbers_are_distinct():
    with pytest.raises(ConfigError, match="epochs expects integer, got True"):
        Config.from_dict({"training": {"epochs": True}})
    with pytest.raises(ConfigError, match="random_track_mix expects yes/no, got 2"):
        Config.from_dict({"data": {"random_track_mix": 2}})


def test_fraction_is_not_an_integer():
    with pytest.raises(ConfigError, match="epochs expects integer, got 1.5"):
        Config.from_dict({"training": {"epochs": 1.5}})


@pytest.mark.parametrize(
    "groups, message",
    [
        ({"optim": {"lrr": 1}}, "Did you mean lr?"),
        ({"optim": {"zzz": 1}}, "It has: optimizer, lr"),
        ({"optims": {}}, r"no group \['optims'\]"),
        ({"optim": {"lr": "fast"}}, "lr expects number, got 'fast'"),
        ({"optim": {"lr": 0}}, "lr must be above 0, got 0"),
        ({"optim": {"scheduler": "cosine"}}, "one of plateau, steps, constant"),
        ({"model": {"architecture": "UNet"}}, "one of XUMX, XD3Net, XConvTasNet"),
        ({"model": {"architecture": ".here:Net"}}, "or module:Class for your own model"),
        ({"model": {"architecture": "XConvTasNet", "conv_kernel_size": 2}}, "an odd conv_kernel"),
        ({"loss": {"loss": "L2"}}, "one of MultiDomainLoss, WaveformL1Loss"),
        ({"data": {"dataset": "dsd100"}}, "one of musdb18"),
        ({"data": {"cache": "disk"}}, "one of none, memory"),
        ({"data": {"source_augmentations": ["pitch"]}}, "one of gain"),
        (
            {"data": {"source_augmentations": ["speed"], "random_track_mix": False}},
            "speed changes each source alone: leave it out .* random_track_mix to yes",
        ),
        ({"data": {"demo_songs": 577}}, "demo_songs must be at least 1 and at most 576, got 577"),
        ({"data": {"sources": ["a", "a"]}}, "one or more names, each once"),
        ({"data": {"gain_min": 2.0}}, "gain_min must be at most gain_max"),
        ({"data": {"root_weights": [1, 2]}}, "Expected one root weight for each of the 1 folders"),
        ({"data": {"source_map": ["a"]}}, "source_map expects mapping"),
        ({"training": {"ema_decay": 1.0}}, "ema_decay must be above 0 and below 1"),
        ({"separation": {"niter": -1}}, "niter must be at least 0"),
        ({"optim": {"lr": float("inf")}}, "lr must be above 0, got inf"),
        ({"optim": {"lr_decay_gamma": 1}}, "lr_decay_gamma must be above 0 and below 1"),
        ({"loss": {"mix_coef": float("nan")}}, "mix_coef must be at least 0, got nan"),
        ({"data": {"seq_dur": float("nan")}}, "seq_dur must be above 0, got nan"),
        ({"data": {"seq_dur": 1e-6}}, "seq_dur must be at least one sample"),
        ({"data": {"gain_min": -1}}, "gain_min must be above 0, got -1"),
        ({"data": {"root_weights": [float("nan")]}}, "root_weights must be above 0, got nan"),
        ({"training": {"val_dur": 1e-6}}, "val_dur must be at least one sample"),
        ({"training": {"epochs": 0}}, "epochs must be at least 1, got 0"),
        ({"training": {"batch_size": 0}}, "batch_size must be at least 1, got 0"),
        ({"training": {"save_top_k": 0}}, "save_top_k must be at least 1, or -1"),
        ({"training": {"devices": "0"}}, "devices must be auto, a number"),
        ({"training": {"precision": "17"}}, "precision must be one of 32-true"),
        ({"training": {"logger": ["neptune"]}}, "logger must be one of tensorboard, csv, wandb"),
        ({"model": {"nhop": 0}}, "nhop must be at least 1, got 0"),
        ({"evaluation": {"bss_eval": "slow"}}, "one of museval, fast"),
    ],
)
def test_bad_value_is_refused_with_the_expected_type(groups, message):
    with pytest.raises(ConfigError, match=message):
        Config.from_dict(groups)


def test_bad_value_on_the_command_line_ends_with_usage_and_the_reason(conf, capsys):
    with pytest.raises(SystemExit) as stop:
        parse(conf, "--lr", "fast")
    assert stop.value.code == 2
    assert "lr expects number, got 'fast'" in capsys.readouterr().err


def test_unknown_option_on_the_command_line_is_refused(conf, capsys):
    with pytest.raises(SystemExit):
        parse(conf, "--learning_rate", "1")
    assert "--learning_rate" in capsys.readouterr().err


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="no configuration file .*none.yml"):
        Config.from_yaml(tmp_path / "none.yml")


@pytest.mark.parametrize("text", ["a: [", "- lr", "optim: fast"])
def test_file_that_is_not_a_configuration_is_refused(tmp_path, text):
    path = tmp_path / "conf.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="conf.yml"):
        Config.from_yaml(path)


def test_training_folders_default_to_those_of_the_data_set():
    assert DataConfig(dataset="demo").roots == [Path("data/demo")]
    assert DataConfig(train_dir=["a", "b"]).roots == [Path("a"), Path("b")]
    assert DataConfig(train_dir=["a", "b"]).test_root == Path("a")
    assert DataConfig(test_dir="c").test_root == Path("c")


def test_every_option_is_explained_and_has_an_argument(conf, capsys):
    with pytest.raises(SystemExit):
        parse(conf, "--help")
    text = " ".join(capsys.readouterr().out.split())
    for group in GROUPS.values():
        for field in group.__dataclass_fields__.values():
            assert field.metadata["help"]
            assert f"--{field.name}" in text or field.name == "source_map"


@pytest.mark.parametrize("bandwidth, bins", [(16000, 1487), (22050, 2049), (48000, 2049), (0, 1)])
def test_max_bin_counts_the_bins_up_to_the_bandwidth(bandwidth, bins):
    assert max_bin(bandwidth, 4096, 44100) == bins


ASTEROIDS_CONF = """
training: {epochs: 1000, batch_size: 14, loss_combine_sources: yes, loss_use_multidomain: yes,
           mix_coef: 10.0, val_dur: 80.0}
optim: {optimizer: adam, lr: 0.001, patience: 1000, lr_decay_patience: 80, lr_decay_gamma: 0.3,
        weight_decay: 0.00001}
data:
  {train_dir: ./data, output: x-umx_outputs, sample_rate: 44100, num_workers: 4, seed: 42,
   seq_dur: 6.0, samples_per_track: 64, source_augmentations: [gain, channelswap],
   sources: [bass, drums, vocals, other]}
model: {pretrained: null, bidirectional: yes, window_length: 4096, in_chan: 4096, nhop: 1024,
        hidden_size: 512, bandwidth: 16000, nb_channels: 2, spec_power: 1}
"""


def test_conf_of_asteroids_x_umx_is_read_as_the_official_settings(conf, caplog):
    conf.write_text(ASTEROIDS_CONF, encoding="utf-8")
    read = parse(conf)
    official = Config.from_yaml(RECIPES / "X-UMX" / "local" / "conf.yml")
    official.data.train_dir = ["./data"]
    assert read == official
    assert [record.message for record in caplog.records] == [
        f"{conf}: data.output has no effect: the folder of a run is given by --exp_dir, "
        "or --tag of run.sh."
    ]


def test_conf_that_asteroids_x_umx_wrote_is_read_from_its_old_keys(conf, caplog):
    groups = yaml.safe_load(ASTEROIDS_CONF)
    groups["training"].update(loss_combine_sources=False, loss_use_multidomain=False, mix_coef=2.0)
    groups["model"]["pretrained"] = "old.pth"
    groups["data"]["root"] = groups["data"].pop("train_dir")
    groups.update({"main_args": {"help": None}, "positional arguments": {}})
    conf.write_text(yaml.safe_dump(groups), encoding="utf-8")
    read = parse(conf, "--mix_coef", "3")
    assert not read.loss.loss_combine_sources and not read.loss.loss_use_multidomain
    assert (read.loss.mix_coef, read.training.pretrained) == (3.0, "old.pth")
    assert read.data.train_dir == ["./data"]
    assert [r.message.split(" has")[0] for r in caplog.records] == [f"{conf}: data.output"]


def test_option_given_under_old_and_new_key_is_refused(conf):
    conf.write_text("training: {mix_coef: 1}\nloss: {mix_coef: 2}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="training.mix_coef is now loss.mix_coef, but both"):
        parse(conf)


def test_old_keys_are_refused_in_a_conf_that_names_its_architecture(conf):
    text = "model: {architecture: XUMX}\ndata: {output: x}\n"
    conf.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="data has no option 'output'"):
        parse(conf)

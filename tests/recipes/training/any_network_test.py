"""`architecture: XScheme`: a network named in conf.yml, from training to scores."""

import subprocess
import sys

import pytest
import torch

from asteroid_xscheme import BridgedModel
from asteroid_xscheme.recipes.config import Config, ConfigError
from asteroid_xscheme.recipes.stages import run_name
from asteroid_xscheme.recipes.training import train
from asteroid_xscheme.weights import CheckpointError

pytestmark = pytest.mark.filterwarnings(
    # Lightning 2.6 with torch 2.13, of Lightning's own code:
    "ignore:`isinstance\\(treespec, LeafSpec\\)` is deprecated",
    # advice for long runs that a run of seconds does not need:
    "ignore:The '.*_dataloader' does not have many workers",
    "ignore:The number of training batches",
)

READ = """
import sys
from asteroid_xscheme import BridgedModel
from asteroid_xscheme.weights import CheckpointError
try:
    BridgedModel.from_pretrained(sys.argv[1])
except CheckpointError as error:
    print(error)
from asteroid.models import ConvTasNet
BridgedModel.from_pretrained(sys.argv[1], network=ConvTasNet)
"""


def test_named_network_is_trained_and_its_file_loads_with_the_class(make_config, tmp_path):
    config = make_config("XScheme", training={"epochs": 1})
    path = train(config, tmp_path / "run")
    assert run_name(config) == "X-ConvTasNet"
    again = Config.from_yaml(tmp_path / "run" / "conf.yml")
    assert again == config
    model = BridgedModel.from_pretrained(path)  # this process's conf.yml made the class known
    assert model.forward_wav(torch.randn(1, 1, 300)).shape == (1, 4, 1, 300)
    command = [sys.executable, "-c", READ, str(path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "asteroid.models.conv_tasnet:ConvTasNet" in told and "network=ConvTasNet" in told


def test_network_that_cannot_be_imported_is_a_configuration_error(make_config):
    for name, said in (("nothing", "module:Class"), ("nothing:Here", "no network nothing:Here")):
        with pytest.raises(ConfigError, match=said):
            Config.from_dict({"model": {"architecture": "XScheme", "network": name}})
    config = Config.from_dict({"model": {"architecture": "XScheme"}})
    with pytest.raises(ConfigError, match="network is not set"):
        config.model.model_args(44100)


def test_file_that_names_an_unknown_class_imports_nothing(make_config, tmp_path):
    config = make_config("XScheme")
    args = config.model.model_args(8000)
    model = config.model.model_class("XScheme")(sources=["a"], sample_rate=8000, **args)
    package = model.serialize()
    package["model_args"]["networks"] = "this:that"
    with pytest.raises(CheckpointError, match="needs the network this:that"):
        BridgedModel.from_pretrained(package)

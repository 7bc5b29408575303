"""torch.hub on this folder: the names in hubconf.py, with weights from the cache or a file."""

import configparser
import re
import runpy
from pathlib import Path

import pytest
import torch
from asteroid.utils.hub_utils import url_to_filename

from asteroid_xscheme import XUMX
from asteroid_xscheme.weights import PUBLISHED, save_package

ROOT = str(Path(__file__).parents[1])


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A small model, in the cache under both published names."""
    monkeypatch.setenv("ASTEROID_CACHE", str(tmp_path))
    torch.manual_seed(0)
    model = XUMX(["a", "b"], 64, 64, 16, hidden_size=4, nb_layers=1)
    for name in ("xumx", "xumxl"):
        folder = tmp_path / url_to_filename(PUBLISHED[name].url)
        save_package(model.serialize(), folder / "model.pth")
    return model


def test_hubconf_names_match_the_documentation_and_list_their_requirements():
    names = runpy.run_path(f"{ROOT}/hubconf.py")
    public = {name for name, value in names.items() if callable(value) and name[0] != "_"}
    assert public == {"generic", "xumx", "xumxl"}
    setup = configparser.ConfigParser()
    setup.read(f"{ROOT}/setup.cfg", encoding="utf-8")
    lines = setup["options"]["install_requires"].strip().splitlines()
    required = {re.match(r"[\w-]+", line)[0].lower().replace("-", "_") for line in lines}
    required = {name.replace("pyyaml", "yaml") for name in required}
    assert set(names["dependencies"]) == required | {"asteroid"}


@pytest.mark.parametrize("name", ["xumx", "xumxl"])
def test_torch_hub_loads_published_weights(model, name):
    loaded = torch.hub.load(ROOT, name, source="local", offline=True)
    assert type(loaded) is XUMX and loaded.sources == ["a", "b"]
    for key, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value)


def test_torch_hub_loads_any_weights(model, tmp_path):
    path = save_package(model.serialize(), tmp_path / "mine.safetensors")
    loaded = torch.hub.load(ROOT, "generic", str(path), source="local")
    assert loaded.get_model_args() == model.get_model_args()

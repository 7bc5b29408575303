"""Push to Hugging Face repositories and load from them, on a loopback server of its API."""

import huggingface_hub
import pytest
import torch
from huggingface_hub import PyTorchModelHubMixin

from asteroid_xscheme.models import XUMX
from asteroid_xscheme.weights import (
    CheckpointError,
    load_package,
    publish,
    save_package,
)
from asteroid_xscheme.weights.hub import push_folder
from tests.hub_server import TOKEN

# huggingface_hub's own, where it sends a file as such
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

PUSHED = {"README.md", "config.json", "model.safetensors", "pytorch_model.bin"}
CREATE, CARD, COMMIT = "/api/repos/create", "/api/validate-yaml", "/api/models/me/mine/commit/main"


@pytest.fixture
def published(trained, model_package, tmp_path):
    """A published folder."""
    return publish({**trained, **model_package}, {}, {}, tmp_path, repository="me/mine")


@pytest.fixture
def repository(hub_server, package, tmp_path):
    """A function that makes the repository me/mine with the same weights under these names."""
    content = save_package(package, tmp_path / "made.pth").read_bytes()

    def make(*names):
        hub_server.repositories["me/mine"] = {"README.md": b"mine", **{n: content for n in names}}

    return make


def test_pushed_folder_is_loaded_by_every_loader(hub_server, published, model_package, tmp_path):
    class Hub(PyTorchModelHubMixin, XUMX):
        """A user's."""

    assert push_folder(published, "me/mine") == f"{hub_server.url}/me/mine"
    assert set(hub_server.repositories["me/mine"]) == PUSHED
    of_mixin = Hub.from_pretrained("me/mine", cache_dir=tmp_path / "of the mixin")
    for state in (XUMX.from_pretrained("me/mine").state_dict(), of_mixin.state_dict()):
        assert state.keys() == model_package["state_dict"].keys()
        assert all(torch.equal(state[k], v) for k, v in model_package["state_dict"].items())
    del hub_server.repositories["me/mine"]["pytorch_model.bin"]
    assert load_package("me/mine", offline=True)["dataset"] == "MUSDB18"  # in the cache


def test_second_push_replaces_the_files(hub_server, published):
    push_folder(published, "me/mine")
    (published / "README.md").write_text("---\nlicense: mit\n---\nedited")
    push_folder(published, "me/mine")
    assert hub_server.repositories["me/mine"]["README.md"].endswith(b"edited")


@pytest.mark.parametrize(
    "path, status, words",
    [
        (CREATE, 401, r"does not accept the token \(401\). Log in again with `hf auth login`"),
        (CREATE, 403, r"no write access to repositories of me \(403\). Give it write access"),
        (COMMIT, 401, r"does not accept the token \(401\)"),
        (COMMIT, 403, r"no write access to repositories of me \(403\)"),
        (COMMIT, 404, r"no write access to repositories of me \(404\)"),
        (COMMIT, 500, "500"),
        ("/me/mine.git/info/lfs/objects/batch", 403, r"no write access .*\(403\)"),
    ],
)
def test_refused_push_is_reported_in_one_line_without_the_token(
    hub_server, published, path, status, words
):
    hub_server.refusals[path] = status
    with pytest.raises(CheckpointError, match=f"me/mine was not pushed: .*{words}") as raised:
        push_folder(published, "me/mine")
    assert "\n" not in str(raised.value) and TOKEN not in str(raised.value)


def test_push_without_network_or_offline_is_reported_in_one_line(
    hub_server, published, monkeypatch
):
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(
        CheckpointError, match="cannot be reached .*Error.*Check the network."
    ) as raised:
        push_folder(published, "me/mine")
    assert "\n" not in str(raised.value) and hub_server.asked == []


@pytest.mark.parametrize("token", [f"{TOKEN} x", f"{TOKEN}\x01", f"{TOKEN}é"])
def test_malformed_token_is_neither_sent_nor_printed(hub_server, published, monkeypatch, token):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(CheckpointError, match="characters that no token has") as raised:
        push_folder(published, "me/mine")
    assert "SECRET" not in str(raised.value) and hub_server.asked == []


def test_push_without_login_says_how_to_log_in(hub_server, published, monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(CheckpointError, match="Not logged in.*hf auth login.*HF_TOKEN"):
        push_folder(published, "me/mine")


@pytest.mark.parametrize("name", ["mine", "me/mine/too", "me/..", ""])
def test_invalid_repository_name_is_refused_before_anything_is_sent(hub_server, published, name):
    with pytest.raises(CheckpointError, match="expected owner/name"):
        push_folder(published, name)
    assert hub_server.asked == []


@pytest.mark.parametrize(
    "names",
    [
        ["best_model.pth", "last.ckpt"],
        ["model.pth", "other.pth"],
        ["JaCappella.pth"],
        ["weights/net.ckpt"],
    ],
)
def test_weights_are_found_by_known_names_or_as_the_only_file(repository, names):
    repository(*names)
    assert load_package("me/mine")["model_name"] == "XUMX"
    assert load_package("me/mine", offline=True)["model_name"] == "XUMX"


def test_several_weights_are_named_in_one_line(repository):
    repository("vocals.pth", "drums.pth")
    words = "me/mine contains several weights files: drums.pth, vocals.pth. Name one: .*me/mine/"
    with pytest.raises(CheckpointError, match=words) as raised:
        load_package("me/mine")
    assert "\n" not in str(raised.value)


def test_repository_without_weights_is_reported(repository):
    repository()
    with pytest.raises(CheckpointError, match="me/mine contains no weights.*pytorch_model.bin"):
        load_package("me/mine")


def test_safetensors_are_read_with_the_configuration_of_the_repository(
    hub_server, published, model_package
):
    files = {n: (published / n).read_bytes() for n in ("config.json", "model.safetensors")}
    hub_server.repositories["me/mine"] = files
    assert load_package("me/mine")["model_args"] == model_package["model_args"]
    assert "GET /me/mine/resolve/main/config.json" in hub_server.asked

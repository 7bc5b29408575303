"""All ways to name weights: a package, a path, a name, an id, a URL."""

import copy
from pathlib import Path

import huggingface_hub
import pytest
import torch
from asteroid.utils.hub_utils import MODELS_URLS_HASHTABLE, url_to_filename
from huggingface_hub.errors import (
    EntryNotFoundError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
)

from asteroid_xscheme.weights import PUBLISHED, CheckpointError, load_package, save_package


@pytest.fixture
def hub(monkeypatch, package, tmp_path):
    """Hugging Face with the repository me/model of `files`; records the requests."""
    path = save_package(package, tmp_path / "hub" / "weights")

    class Hub:
        files, asked, error = ["pytorch_model.bin"], [], None

        def download(self, repository, file, **options):
            self.asked.append((repository, file, options["revision"], options["local_files_only"]))
            if self.error is not None:
                raise self.error
            if file not in self.files:
                raise EntryNotFoundError("404")
            return str(path)

    hub = Hub()
    hub.asked = []
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", hub.download)
    return hub


def put_in_cache(cache, url, content):
    folder = cache / url_to_filename(url)
    folder.mkdir(parents=True)
    (folder / "model.pth").write_bytes(content)


def test_package_is_returned_as_a_copy_and_never_changed(package):
    before = copy.deepcopy(package)
    loaded = load_package(package)
    loaded["model_args"]["bridge"] = False
    loaded["infos"]["software_versions"].clear()
    del loaded["state_dict"]["count"]
    assert package["model_args"] == before["model_args"] and package["infos"] == before["infos"]
    assert package["state_dict"].keys() == before["state_dict"].keys()


def test_package_in_memory_that_lacks_an_entry_is_refused():
    with pytest.raises(CheckpointError, match="the dictionary lacks model_name"):
        load_package({"state_dict": {}, "model_args": {}})


@pytest.mark.parametrize("kind", [str, Path])
def test_path_is_read(package, tmp_path, kind):
    path = save_package(package, tmp_path / "Ü ber" / "my model.pth")
    assert load_package(kind(path))["model_name"] == "XUMX"


def test_tilde_is_the_home_folder(package, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    save_package(package, tmp_path / "model.pth")
    assert load_package("~/model.pth")["model_name"] == "XUMX"


@pytest.mark.parametrize("name", [name for name, model in PUBLISHED.items() if model.url])
def test_name_is_its_published_url(cache, weights, name, monkeypatch):
    if PUBLISHED[name].checksum:
        monkeypatch.setattr(
            "asteroid_xscheme.weights.fetching.check_file", lambda path, checksum: True
        )
    put_in_cache(cache, PUBLISHED[name].url, weights)
    for each in (name, *PUBLISHED[name].ids):
        assert load_package(each, offline=True)["model_name"] == "XUMX"
    assert PUBLISHED[name].bytes_cached == len(weights)


def test_asteroids_ids_of_our_models_resolve_to_asteroids_urls():
    for model in PUBLISHED.values():
        for each in model.ids:
            assert MODELS_URLS_HASHTABLE[each] == model.url


@pytest.mark.parametrize("variable", [True, False])
def test_name_that_is_not_cached_says_so_when_offline(monkeypatch, variable):
    if variable:
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(CheckpointError, match=r"offline.*download https://zenodo.org"):
        load_package("xumx", offline=not variable)


def test_folder_of_a_name_does_not_hide_the_name(cache, weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "xumx").mkdir()
    put_in_cache(cache, PUBLISHED["xumx"].url, weights)
    assert load_package("xumx", offline=True)["model_name"] == "XUMX"


def test_any_id_in_asteroids_table_is_loaded_with_asteroids_rate(cache, package, tmp_path):
    name = "mpariente/ConvTasNet_WHAM!_sepclean"
    del package["model_args"]["sample_rate"]
    torch.save(package, tmp_path / "old.pth")
    put_in_cache(cache, MODELS_URLS_HASHTABLE[name], (tmp_path / "old.pth").read_bytes())
    assert load_package(name, offline=True)["model_args"]["sample_rate"] == 8000.0


def test_url_is_fetched(server, weights):
    server.answers["/model.pth"] = weights
    assert load_package(f"{server.url}/model.pth")["model_name"] == "XUMX"


def test_url_whose_scheme_is_in_capitals_is_the_same_url(server, weights):
    server.answers["/model.pth"] = weights
    for scheme in ("HTTP", "http", "Http"):
        load_package(f"{server.url}/model.pth".replace("http", scheme))
    assert server.asked == ["/model.pth"]


@pytest.mark.parametrize(
    "name, repository, revision",
    [
        ("me/model", "me/model", None),
        ("me/model@v1.0", "me/model", "v1.0"),
        ("me/model@refs/pr/1", "me/model", "refs/pr/1"),
        ("https://huggingface.co/me/model", "me/model", None),
    ],
)
def test_hugging_face_id_is_fetched_at_its_revision(hub, name, repository, revision):
    assert load_package(name)["model_name"] == "XUMX"
    assert hub.asked == [(repository, "pytorch_model.bin", revision, False)]


def test_hugging_face_uses_local_files_only_when_offline(hub, monkeypatch):
    load_package("me/model", offline=True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "ON")
    load_package("me/model")
    assert [local for *_, local in hub.asked] == [True, True]


def test_repository_of_safetensors_is_read(hub):
    hub.files = ["model.safetensors"]
    assert load_package("me/model")["model_name"] == "XUMX"


@pytest.mark.parametrize(
    "error, words",
    [
        (LocalEntryNotFoundError("no"), "not in the cache .* Go online once"),
        (OfflineModeIsEnabled("no"), "not in the cache .* Go online once"),
        (HFValidationError("bad id"), "could not be downloaded from Hugging Face: bad id"),
    ],
)
def test_failure_of_hugging_face_is_explained(hub, error, words):
    hub.error = error
    with pytest.raises(CheckpointError, match=f"me/model.*{words}"):
        load_package("me/model")
    assert len(hub.asked) == 1


def test_hugging_face_itself_is_not_reached_when_offline():
    with pytest.raises(CheckpointError, match="nobody/nothing is not in the cache"):
        load_package("nobody/nothing", offline=True)


@pytest.mark.parametrize(
    "name, words",
    [
        ("XUMXL", "Did you mean 'xumxl'"),
        ("exp/best_model.pth", "There is no file 'exp/best_model.pth'"),
        ("", "no weights have that name"),
        ("http://", "'http://' is not a complete URL. Expected https://HOST/FILE"),
        ("HTTPS:///model.pth", "'https:///model.pth' is not a complete URL"),
        ("ftp://host/model.pth", "There is no file 'ftp://host/model.pth'"),
        ("a/b/c", "Expected a path, a URL, a Hugging Face id"),
    ],
)
def test_meaningless_string_is_explained_without_a_request(hub, name, words):
    with pytest.raises(CheckpointError, match=words):
        load_package(name)
    assert hub.asked == []

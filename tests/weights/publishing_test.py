"""The published folder: asteroid's publish_dir and a Hugging Face repository."""

import copy
import json

import numpy as np
import pytest
import torch
import yaml
from asteroid.models import BaseModel
from asteroid.models.publisher import make_license_notice, make_metadata_from_model
from huggingface_hub import EvalResult, ModelCard, PyTorchModelHubMixin

from asteroid_xscheme.weights import CheckpointError, load_package, publish
from asteroid_xscheme.weights.card import repository_name
from tests.models.conftest import small_x_conv_tasnet, small_x_d3net, small_xumx


def publish_in(exp_dir, package, **options):
    metrics = {"sdr_bass": np.float64(5.4), "sdr_vocals": 6.6}
    config = {"data": {"seq_dur": 6.0}, "optim": {"lr": 1e-3}}
    return publish(package, metrics, config, exp_dir, **options)


def card(folder):
    return (folder / "README.md").read_text(encoding="utf-8")


def front_matter(folder):
    return yaml.safe_load(card(folder).split("---\n")[1])


def test_folder_contains_what_asteroid_and_hugging_face_read(trained, tmp_path):
    folder = publish_in(tmp_path, trained, recipe="musdb18/X-UMX")
    assert folder == tmp_path / "publish_dir"
    assert (folder / "recipe_name.txt").read_text() == "musdb18/X-UMX\n"
    for name in ("model.pth", "pytorch_model.bin"):
        shared = torch.load(folder / name, weights_only=True)  # as plain as can be
        assert shared["infos"]["final_metrics"] == {"sdr_bass": 5.4, "sdr_vocals": 6.6}
        assert shared["infos"]["recipe_name"] == "musdb18/X-UMX"
    assert load_package(folder)["dataset"] == "MUSDB18"


@pytest.fixture(params=[small_xumx, small_x_d3net, small_x_conv_tasnet])
def model(request):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return request.param(["a", "b"]).eval()


def test_hub_mixin_and_asteroid_load_models_with_equal_outputs(model, trained, tmp_path):
    model_class = type(model)

    class Hub(PyTorchModelHubMixin, model_class):
        """A user's: what the mixin loads."""

    class Ours(model_class, PyTorchModelHubMixin):
        """A user's: what we load, and the mixin saves and pushes."""

    folder = publish_in(tmp_path, {**trained, **model.serialize()})
    assert f"from asteroid_xscheme.models import {model_class.__name__}" in card(folder)
    of_mixin, ours = Hub.from_pretrained(folder), Ours.from_pretrained(folder)
    of_asteroid = BaseModel.from_pretrained(str(folder / "pytorch_model.bin"))
    assert type(ours) is Ours and type(of_asteroid) is model_class
    wav = torch.randn(1, 2, 500, generator=torch.Generator().manual_seed(0))
    expected = model.forward_wav(wav)
    for each in (of_mixin, of_asteroid, ours):
        assert torch.equal(each.eval().forward_wav(wav), expected)
    assert of_mixin.sources == ["a", "b"] and of_mixin.get_model_args() == model.get_model_args()


def test_model_saved_by_the_hub_mixin_loads_in_both_ways(model, tmp_path):
    model_class = type(model)

    class Hub(PyTorchModelHubMixin, model_class):
        """A user's."""

    saved = Hub(**model.get_model_args())
    saved.load_state_dict(model.state_dict())
    saved.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match='Add the class, such as "model_name": "XUMX"'):
        model_class.from_pretrained(tmp_path)
    by_mixin = Hub.from_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["model_name"] = model_class.__name__
    (tmp_path / "config.json").write_text(json.dumps(config))
    ours = model_class.from_pretrained(tmp_path)
    for name, value in model.state_dict().items():
        assert torch.equal(by_mixin.state_dict()[name], value)
        assert torch.equal(ours.state_dict()[name], value)


@pytest.mark.parametrize("path", ["/home/me/songs", "~/songs", "C:\\me\\songs", "songs"])
def test_absolute_paths_are_published_as_names_only(trained, tmp_path, path):
    config = {"data": {"train_dir": [path], "source_map": {path: {"gtr": None}}}}
    infos = load_package(publish(trained, {}, config, tmp_path))["infos"]
    expected = {"train_dir": ["songs"], "source_map": {"songs": {"gtr": None}}}
    assert infos["training_config"]["data"] == expected
    assert yaml.safe_load(card(tmp_path / "publish_dir").split("```yaml\n")[1].split("```")[0]) == {
        "data": expected
    }


def test_hub_reads_the_card(trained, tmp_path):
    data = {"dataset_type": "musdb18", "dataset_name": "musdb18", "dataset_split": "test"}
    result = EvalResult("audio-to-audio", **data, metric_type="sdr", metric_value=5.4)
    parsed = ModelCard.load(publish_in(tmp_path, trained, results=[result]) / "README.md").data
    assert (parsed.library_name, parsed.pipeline_tag) == ("asteroid", "audio-to-audio")
    assert parsed.license == "cc-by-nc-sa-4.0" and "music-source-separation" in parsed.tags
    assert parsed.eval_results == [result]
    assert parsed.model_name == repository_name(trained)
    assert "on the test tracks of musdb18" in card(tmp_path / "publish_dir")


def test_card_without_scores_has_no_model_index(trained, tmp_path):
    folder = publish(trained, {}, {}, tmp_path, repository="me/mine")
    assert ModelCard.load(folder / "README.md").data.eval_results is None
    assert "These weights were not scored." in card(folder)
    assert 'from_pretrained("me/mine")' in card(folder) and "trained by me using" in card(folder)


def test_publishing_does_not_change_the_package(trained, tmp_path):
    before = copy.deepcopy(trained)
    publish_in(tmp_path, trained)
    assert trained.keys() == before.keys() and trained["infos"] == before["infos"]


def test_recipe_is_read_from_the_file_that_a_recipe_leaves(trained, tmp_path):
    folder = publish_in(tmp_path, trained)
    assert (folder / "recipe_name.txt").read_text() == "asteroid_xscheme/XUMX\n"
    (folder / "recipe_name.txt").write_text("musdb18/X-UMX\n")
    publish_in(tmp_path, trained)
    assert load_package(folder)["infos"]["recipe_name"] == "musdb18/X-UMX"


def test_card_states_the_terms_of_non_commercial_data(trained, tmp_path):
    folder = publish_in(tmp_path, trained, uploader="Ada Lovelace")
    assert front_matter(folder)["license"] == "cc-by-nc-sa-4.0"
    assert "asteroid" in front_matter(folder)["tags"]
    assert "[MUSDB18](https://a) by [F.-R. Stöter](https://b), used under" in card(folder)
    assert "non-commercial use only, and so are these weights" in card(folder)
    assert "by Ada Lovelace" in card(folder) and "[your name]" not in card(folder)


def test_card_of_free_data_has_no_restriction(trained, tmp_path):
    trained["licenses"][0]["non_commercial"] = False
    folder = publish_in(tmp_path, trained)
    assert front_matter(folder)["license"] == "cc-by-sa-3.0"
    assert "non-commercial" not in card(folder)


def test_card_shows_configuration_and_results(trained, tmp_path):
    text = card(publish_in(tmp_path, trained))
    config, results = (
        yaml.safe_load(text.split(f"## {title}:\n```yaml\n")[1].split("```")[0])
        for title in ("Training config", "Results")
    )
    assert config == {"data": {"seq_dur": 6.0}, "optim": {"lr": 1e-3}}
    assert results == {"sdr_bass": 5.4, "sdr_vocals": 6.6}


@pytest.mark.parametrize("lacking", ["dataset", "licenses", "author_link"])
def test_weights_without_a_data_description_are_not_published(trained, tmp_path, lacking):
    if lacking in trained:
        del trained[lacking]
    else:
        del trained["licenses"][0][lacking]
    with pytest.raises(CheckpointError, match=f"does not describe its training data.*{lacking}"):
        publish_in(tmp_path, trained)
    assert list(tmp_path.glob("publish_dir/*")) == []


def test_asteroid_upload_can_write_its_notice(trained, tmp_path):
    shared = load_package(publish_in(tmp_path, trained))
    notice = make_license_notice("model", shared["licenses"], uploader="Me")
    assert "MUSDB18" in notice and "(Research only)" in notice
    names = {"uploader": "Me", "affiliation": "-", "upload_name": "m", "license_note": notice}
    shared["infos"].update(names)
    assert "asteroid_xscheme/XUMX" in make_metadata_from_model(shared)["description"]


def test_repository_is_named_by_asteroids_pattern(trained):
    assert repository_name(trained) == "XUMX_MUSDB18_musicseparation_44.1k"
    trained.update(dataset="Demo songs", task="music source separation")
    assert repository_name(trained) == "XUMX_Demo-songs_musicsourceseparation_44.1k"

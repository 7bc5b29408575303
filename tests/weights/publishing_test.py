"""What is written to share a model: asteroid's publish_dir and a Hugging Face repository."""

import copy

import numpy as np
import pytest
import torch
import yaml
from asteroid.models.publisher import make_license_notice, make_metadata_from_model

from asteroid_xscheme.weights import CheckpointError, load_package, publish
from asteroid_xscheme.weights.publishing import repository_name


@pytest.fixture
def trained(package):
    """A package that says what it was trained on."""
    licence = {
        "title": "MUSDB18",
        "title_link": "https://a",
        "author": "F.-R. Stöter",
        "author_link": "https://b",
        "license": "educational purposes only",
        "license_link": "https://c",
        "non_commercial": True,
    }
    return {**package, "dataset": "MUSDB18", "task": "music_separation", "licenses": [licence]}


def publish_in(exp_dir, package, **options):
    metrics = {"sdr_bass": np.float64(5.4), "sdr_vocals": 6.6}
    config = {"data": {"seq_dur": 6.0}, "optim": {"lr": 1e-3}}
    return publish(package, metrics, config, exp_dir, **options)


def card(folder):
    return (folder / "README.md").read_text(encoding="utf-8")


def front_matter(folder):
    return yaml.safe_load(card(folder).split("---\n")[1])


def test_folder_holds_what_asteroid_and_hugging_face_read(trained, tmp_path):
    folder = publish_in(tmp_path, trained, recipe="musdb18/X-UMX")
    assert folder == tmp_path / "publish_dir"
    assert (folder / "recipe_name.txt").read_text() == "musdb18/X-UMX\n"
    for name in ("model.pth", "pytorch_model.bin"):
        shared = torch.load(folder / name, weights_only=True)  # as plain as can be
        assert shared["infos"]["final_metrics"] == {"sdr_bass": 5.4, "sdr_vocals": 6.6}
        assert shared["infos"]["recipe_name"] == "musdb18/X-UMX"
    assert load_package(folder)["dataset"] == "MUSDB18"


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


def test_card_of_free_data_is_free(trained, tmp_path):
    trained["licenses"][0]["non_commercial"] = False
    folder = publish_in(tmp_path, trained)
    assert front_matter(folder)["license"] == "cc-by-sa-3.0"
    assert "non-commercial" not in card(folder)


def test_card_shows_configuration_and_results_that_read_back(trained, tmp_path):
    text = card(publish_in(tmp_path, trained))
    config, results = (
        yaml.safe_load(text.split(f"## {title}:\n```yaml\n")[1].split("```")[0])
        for title in ("Training config", "Results")
    )
    assert config == {"data": {"seq_dur": 6.0}, "optim": {"lr": 1e-3}}
    assert results == {"sdr_bass": 5.4, "sdr_vocals": 6.6}


@pytest.mark.parametrize("lacking", ["dataset", "licenses", "author_link"])
def test_weights_of_unknown_data_are_not_published(trained, tmp_path, lacking):
    if lacking in trained:
        del trained[lacking]
    else:
        del trained["licenses"][0][lacking]
    with pytest.raises(CheckpointError, match=f"does not state its training data.*{lacking}"):
        publish_in(tmp_path, trained)
    assert list(tmp_path.glob("publish_dir/*")) == []


def test_asteroids_upload_can_write_its_notice(trained, tmp_path):
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

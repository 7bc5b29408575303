"""What is written to share a model: asteroid's publish_dir and a Hugging Face repository."""

import copy

import numpy as np
import pytest
import torch
import yaml
from asteroid.models.publisher import make_license_notice, make_metadata_from_model

from asteroid_xscheme.checkpoint import load_package
from asteroid_xscheme.checkpoint.publish import (
    TRAINING_DATA,
    DataLicence,
    TrainingData,
    publish,
    repository_name,
)


def publish_to(folder, package, data=TRAINING_DATA["musdb18"], **options):
    return publish(
        package,
        folder,
        metrics={"sdr_bass": np.float64(5.4), "sdr_vocals": 6.6},
        training_config={"data": {"seq_dur": 6.0}, "optim": {"lr": 1e-3}},
        recipe="musdb18/X-UMX",
        data=data,
        **options,
    )


def front_matter(folder):
    _, header, _ = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(header)


def test_folder_holds_what_asteroid_and_hugging_face_read(package, tmp_path):
    folder = publish_to(tmp_path / "publish_dir", package)
    assert (folder / "recipe_name.txt").read_text() == "musdb18/X-UMX\n"
    for name in ("model.pth", "pytorch_model.bin"):
        shared = torch.load(folder / name, weights_only=True)  # as plain as can be
        assert shared["infos"]["final_metrics"] == {"sdr_bass": 5.4, "sdr_vocals": 6.6}
        assert shared["infos"]["recipe_name"] == "musdb18/X-UMX"
    assert load_package(folder)["dataset"] == "MUSDB18"


def test_publishing_does_not_change_the_package(package, tmp_path):
    before = copy.deepcopy(package)
    publish_to(tmp_path, package)
    assert package.keys() == before.keys() and package["infos"] == before["infos"]


def test_card_states_the_terms_of_musdb18(package, tmp_path):
    folder = publish_to(tmp_path, package, uploader="Ada Lovelace")
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert front_matter(folder)["license"] == "cc-by-nc-sa-4.0"
    assert "asteroid" in front_matter(folder)["tags"]
    assert "educational purposes only, no commercial use" in card
    assert "non-commercial use only, and so are these weights" in card
    assert "by Ada Lovelace" in card and "[your name]" not in card


def test_card_shows_configuration_and_results_that_read_back(package, tmp_path):
    card = (publish_to(tmp_path, package) / "README.md").read_text(encoding="utf-8")
    config, results = (
        yaml.safe_load(card.split(f"## {title}:\n```yaml\n")[1].split("```")[0])
        for title in ("Training config", "Results")
    )
    assert config == {"data": {"seq_dur": 6.0}, "optim": {"lr": 1e-3}}
    assert results == {"sdr_bass": 5.4, "sdr_vocals": 6.6}


def test_free_data_of_ones_own_gets_its_own_licence(package, tmp_path):
    licence = DataLicence("Songs", "https://a", "Me", "https://b", "CC0", "https://c", False)
    data = TrainingData("Songs", (licence,), weights_licence="cc-by-sa-3.0")
    folder = publish_to(tmp_path, package, data=data)
    assert front_matter(folder)["license"] == "cc-by-sa-3.0"
    assert "non-commercial" not in (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("dataset, title", [("musdb18", "MUSDB18"), ("musdb18hq", "MUSDB18-HQ")])
def test_asteroids_upload_can_write_its_notice(package, tmp_path, dataset, title):
    shared = load_package(publish_to(tmp_path, package, data=TRAINING_DATA[dataset]))
    notice = make_license_notice("model", shared["licenses"], uploader="Me")
    assert title in notice and "(Research only)" in notice
    shared["infos"].update(
        uploader="Me", affiliation="-", upload_name="me/model", license_note=notice
    )
    assert "musdb18/X-UMX" in make_metadata_from_model(shared)["description"]


def test_repository_is_named_by_asteroids_pattern(package, tmp_path):
    shared = load_package(publish_to(tmp_path, package))
    assert repository_name(shared) == "XUMX_MUSDB18_musicseparation_44.1k"

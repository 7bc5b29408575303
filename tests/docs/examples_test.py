"""The example of the page on bridging one's own network does what the page says."""

import runpy
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture(scope="module")
def example():
    """Names of bridged_toy.py, read without running what it prints."""
    return runpy.run_path(str(FOLDER / "bridged_toy.py"))


def make_toy(example, **options):
    torch.manual_seed(0)
    return example["BridgedToy"](example["SOURCES"], hidden=8, **options)


def test_example_is_as_short_as_the_page_says():
    lines = (FOLDER / "bridged_toy.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 80


def test_bridges_add_no_parameters_to_the_example(example):
    bridged = make_toy(example).state_dict()
    unbridged = make_toy(example, bridge=False).state_dict()
    assert {name: x.shape for name, x in bridged.items()} == {
        name: x.shape for name, x in unbridged.items()
    }


def test_bridges_make_each_source_depend_on_the_other_network(example):
    mixture = example["make_songs"](1, 2000).sum(1)
    for bridge, depends in ((False, False), (["encoder"], True), (["body"], True)):
        toy = make_toy(example, bridge=bridge).eval()
        before = toy.forward_wav(mixture)[:, 0]
        with torch.no_grad():
            toy.networks[1].encoder[0].weight.mul_(2.0)
        assert torch.equal(before, toy.forward_wav(mixture)[:, 0]) != depends


def test_example_learns_with_the_losses_of_the_x_scheme(example):
    toy = make_toy(example)
    first = example["train"](toy, n_steps=1)
    assert example["train"](toy, n_steps=25) < first


def test_example_survives_a_round_trip_through_its_package(example):
    toy = make_toy(example, bridge=["body"]).eval()
    mixture = example["make_songs"](1, 2000).sum(1)
    again = example["BridgedToy"].from_pretrained(toy.serialize()).eval()
    assert again.bridges.open == ("body",)
    torch.testing.assert_close(again.forward_wav(mixture), toy.forward_wav(mixture))


def test_example_separates_a_song_of_any_length(example):
    mixture = example["make_songs"](1, 12345)[0].sum(0)
    estimates = example["Separator"](make_toy(example)).separate(mixture)
    assert {name: x.shape for name, x in estimates.items()} == {
        name: (2, 12345) for name in example["SOURCES"]
    }

"""The model that comes with the package works offline, and its card is correct."""

import json
import re
import socket

import pytest
import torch

import xscheme
from asteroid_xscheme import Separator
from asteroid_xscheme.audio import read_audio, write_audio
from asteroid_xscheme.models import BridgedModel
from asteroid_xscheme.recipes.identity import weights_hash
from asteroid_xscheme.weights import PUBLISHED, load_package
from xscheme.listing import list_models

SOURCES = ["bass", "drums", "vocals", "other"]
FOLDER = PUBLISHED["small"].folder
STORED = json.loads((FOLDER / "scores.json").read_text(encoding="utf-8"))
REAL = [title for title in STORED["scores"] if "(real" in title]


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("something was to be fetched")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="module")
def song():
    generator = torch.Generator().manual_seed(0)
    return 0.1 * torch.randn(2, 44100, generator=generator)


def mean_sdr(title, system):
    scores = [value for value in STORED["scores"][title][system].values() if value is not None]
    return sum(scores) / len(scores)


def test_stems_of_the_small_model_add_up_to_the_song(song):
    model = BridgedModel.from_pretrained("small")
    stems = Separator(model, "cpu").separate(song, 44100)
    assert list(stems) == SOURCES
    torch.testing.assert_close(sum(stems.values()), song, rtol=0, atol=1e-5)


def test_command_separates_with_the_small_model(song, tmp_path):
    write_audio(tmp_path / "song.wav", song, 44100)
    words = ["separate", str(tmp_path / "song.wav"), "-n", "small", "-o", str(tmp_path), "-q"]
    assert xscheme.main([*words, "-d", "cpu"]) == 0
    for source in SOURCES:
        stem, rate = read_audio(tmp_path / "small" / "song" / f"{source}.wav")
        assert stem.shape == song.shape and rate == 44100


def test_files_of_the_small_model_take_at_most_6_megabytes():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 6e6


def test_scores_of_the_small_model_belong_to_its_weights():
    assert STORED["model"] == weights_hash(load_package("small"))


def test_numbers_of_the_card_equal_the_stored_scores():
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    for title, systems in STORED["scores"].items():
        (table,) = re.findall(rf"\*\*{re.escape(title)}\*\*\n\n((?:\|.*\n)+)", card)
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
        assert rows[0][1:-1] == SOURCES
        for system, *cells in rows[2:]:
            values = [systems[system][source] for source in SOURCES]
            assert cells[:-1] == ["-" if v is None else f"{v:.2f}" for v in values]
            assert float(cells[-1]) == pytest.approx(mean_sdr(title, system), abs=0.0051)


@pytest.mark.parametrize("title", REAL)
def test_small_model_is_half_a_decibel_above_an_equaliser_on_real_music(title):
    assert mean_sdr(title, "small") >= mean_sdr(title, "static filter") + 0.5


def test_model_list_marks_the_small_model_as_included_and_free():
    (row,) = [line for line in list_models().splitlines() if line.startswith("small ")]
    assert "included" in row and "CC0 1.0" in row
    assert "part of the package" in list_models(["small"])

"""Published scores are shown beside ours only if the conditions are the same."""

from dataclasses import replace

import numpy as np
import pytest

from asteroid_xscheme.models import XUMX
from asteroid_xscheme.recipes import evaluation
from asteroid_xscheme.recipes.data import Track
from asteroid_xscheme.recipes.evaluation import (
    METRICS,
    Scoring,
    TrackScores,
    evaluate,
    model_system,
)
from asteroid_xscheme.separation import Separator

SOURCES = ["bass", "drums", "vocals", "other"]
ROW = "| X-UMXL, published | 6.28 |  7.39 |   7.57 |  4.83 |    6.52 |"


def table(folder, name="xumxl", data="musdb18", n_tracks=50, rate=44100, by_frames=True, **options):
    """The printed tables of a tiny model under a published name, with given scores."""
    model = XUMX(SOURCES, 64, 64, 16, hidden_size=4, nb_layers=1)
    scoring = Scoring(SOURCES, "fast", 1, ["bsseval"] if by_frames else ["usdr"])
    places = (folder / "scores", folder / "estimates", folder / "record.json")
    system = model_system(name, Separator(model, "cpu", **options), {}, scoring, places, False, "")
    frames = {s: {m: np.full(2 if by_frames else 0, 5.0) for m in METRICS} for s in SOURCES}
    songs = {} if by_frames else {s: {"uSDR": 5.0} for s in SOURCES}
    tracks = [Track(f"t{i}", folder, "test", rate, 2, 2 * rate, {}) for i in range(n_tracks)]
    given = replace(system, score=lambda of: [TrackScores(t.name, frames, songs) for t in of])
    test = evaluation.TestData(data, {"test": tracks}, (), None)
    return evaluate([given], test, scoring, folder / "out").text


def test_published_scores_are_shown_beside_ours_under_the_same_conditions(tmp_path):
    text = table(tmp_path)
    assert ROW in text and text.count("published") == 1
    assert (tmp_path / "out" / "results.md").read_text(encoding="utf-8") == text + "\n"
    assert ROW in table(tmp_path, wiener_iterations=1, overlap=0.5)  # how chunks join is ours


@pytest.mark.parametrize(
    "other",
    [
        {"data": "musdb18hq"},
        {"data": "folder"},
        {"n_tracks": 49},
        {"rate": 22050},
        {"name": "mine"},
        {"by_frames": False},
        {"wiener_iterations": 0},
        {"wiener_iterations": 2},
        {"wiener": "one_pass"},
        {"softmask": True},
        {"flip_channels": True},
    ],
    ids=str,
)
def test_published_scores_are_not_shown_if_a_condition_differs(tmp_path, other):
    assert "published" not in table(tmp_path, **other)


def test_official_d3net_was_scored_with_its_own_filter(tmp_path):
    assert "D3Net, NNabla, published" in table(tmp_path, "d3net", wiener="one_pass")
    assert "published" not in table(tmp_path, "d3net")

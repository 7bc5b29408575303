"""Which options each row and seed of a grid sets, and which it leaves alone."""

from pathlib import Path

import pytest

from asteroid_xscheme.recipes.ablation import (
    PAPER_ROWS,
    cells_of,
    configure,
    distinct,
    effect_pairs,
    paper_rows,
    point_rows,
)
from asteroid_xscheme.recipes.config import Config, ConfigError

SMALL = {
    "XUMX": {"in_chan": 64, "window_length": 64, "nhop": 16, "hidden_size": 8, "nb_layers": 1},
    "XD3Net": {"network": "small", "in_chan": 64, "window_length": 64, "nhop": 16},
    "XConvTasNet": {"n_filters": 8, "bn_chan": 4, "hid_chan": 8, "n_blocks": 1, "n_repeats": 2},
}


def make(architecture="XUMX", loss=None, **model):
    model = {"architecture": architecture, **SMALL[architecture], **model}
    return Config.from_dict({"model": model, "loss": loss or {}})


@pytest.mark.parametrize(
    "name, mdl, cl, bridge",
    [
        ("none", False, False, False),
        ("MDL", True, False, False),
        ("CL", False, True, False),
        ("bridge", False, False, True),
        ("MDL+CL", True, True, False),
        ("MDL+bridge", True, False, True),
        ("CL+bridge", False, True, True),
        ("all", True, True, True),
    ],
)
def test_rows_of_the_paper_switch_what_their_names_say(name, mdl, cl, bridge):
    (row,) = paper_rows([name])
    config = configure(make(), row, seed=3)
    assert config.loss.loss_use_multidomain is mdl
    assert config.loss.loss_combine_sources is cl
    assert config.model.bridge is bridge


def test_grid_of_the_paper_has_eight_rows_and_the_baseline_first():
    assert len(paper_rows()) == len({row.folder_name for row in PAPER_ROWS}) == 8
    assert paper_rows()[0].name == "none"


def test_rows_keep_the_order_of_the_grid():
    assert [row.name for row in paper_rows(["all", "none", "CL"])] == ["none", "CL", "all"]


def test_each_technique_has_four_pairs_in_the_whole_grid():
    pairs = effect_pairs(PAPER_ROWS)
    assert pairs["bridge"] == [
        ("none", "bridge"),
        ("MDL", "MDL+bridge"),
        ("CL", "CL+bridge"),
        ("MDL+CL", "all"),
    ]
    assert pairs["CL"][-1] == ("MDL+bridge", "all")
    assert {thing: len(of_thing) for thing, of_thing in pairs.items()} == {
        "bridge": 4,
        "MDL": 4,
        "CL": 4,
    }


def test_rows_that_differ_in_two_techniques_or_in_points_are_not_paired():
    assert effect_pairs(paper_rows(["none", "MDL+bridge"])) == {}
    assert effect_pairs([*paper_rows(["none", "MDL"]), *point_rows(make("XUMX"))]) == {
        "MDL": [("none", "MDL")]
    }


def test_unknown_row_is_refused_with_a_list_of_rows():
    with pytest.raises(ConfigError, match="no row 'mdl'; known are none, MDL, CL"):
        paper_rows(["mdl"])


def test_cell_differs_from_the_options_in_its_row_and_seed_only():
    config = make()
    before = config.to_dict()
    changed = configure(config, paper_rows(["all"])[0], seed=3).to_dict()
    assert config.to_dict() == before
    assert changed["data"].pop("seed") == 3 and before["data"].pop("seed") == 42
    assert changed["evaluation"].pop("baselines") is False  # scored once for the grid
    assert before["evaluation"].pop("baselines") is True
    assert changed == before


def test_bridged_rows_open_the_points_of_the_options():
    row = paper_rows(["bridge"])[0]
    assert configure(make(bridge=["encoder"]), row, 1).model.bridge == ["encoder"]
    assert configure(make(bridge=False), row, 1).model.bridge is True


def test_waveform_loss_is_replaced_where_mdl_is_on():
    config = make(loss={"loss": "WaveformL1Loss", "loss_use_multidomain": False})
    losses = {row.name: configure(config, row, 1).loss for row in paper_rows(["none", "MDL"])}
    assert losses["none"].loss == "WaveformL1Loss"
    assert losses["MDL"].loss == "MultiDomainLoss" and losses["MDL"].loss_use_multidomain


def test_waveform_models_use_the_waveform_loss_where_mdl_is_off():
    """Magnitudes alone leave the phases of their estimates free: -2 dB."""
    config = make("XConvTasNet")
    losses = {row.name: configure(config, row, 1).loss for row in paper_rows(["none", "CL", "all"])}
    assert losses["none"].loss == losses["CL"].loss == "WaveformL1Loss"
    assert losses["CL"].loss_combine_sources and not losses["none"].loss_combine_sources
    assert losses["all"].loss == "MultiDomainLoss"


@pytest.mark.parametrize(
    "architecture, first, second",
    [
        ("XUMX", "encoder", "recurrent"),
        ("XD3Net", "first_block", "concat"),
        ("XConvTasNet", "bottleneck", "separator"),
    ],
)
def test_points_are_compared_closed_one_by_one_and_together(architecture, first, second):
    config = make(architecture, loss={"loss_combine_sources": False})
    rows = point_rows(config)
    cells = [configure(config, row, 1) for row in rows]
    assert [cell.model.bridge for cell in cells] == [False, [first], [second], [first, second]]
    assert all(cell.loss == config.loss for cell in cells)  # as the options say
    assert len({row.folder_name for row in rows}) == 4


def test_named_points_are_compared_in_the_order_of_the_network():
    rows = point_rows(make(), ["recurrent", "encoder"])
    assert [row.bridge for row in rows[1:3]] == [("encoder",), ("recurrent",)]
    assert [row.bridge for row in point_rows(make(), ["recurrent"])] == [False, ("recurrent",)]


def test_rows_that_train_the_same_are_merged():
    config = make("XD3Net")
    rows = [*paper_rows(), *point_rows(config)]
    added = ["bridge first_block", "bridge concat"]
    assert [row.name for row in distinct(config, rows)] == [row.name for row in rows[:8]] + added


def test_rows_that_differ_only_in_the_loss_are_kept_apart():
    config = make(loss={"loss_combine_sources": False})
    rows = [*paper_rows(["MDL+CL", "all"]), *point_rows(config)]
    assert distinct(config, rows) == rows


def test_unknown_point_is_refused():
    with pytest.raises(ConfigError, match=r"--points: Unknown bridging point\(s\) \['middle'\]"):
        point_rows(make(), ["middle"])


@pytest.mark.parametrize("rows_of", [point_rows, lambda c: cells_of(c, paper_rows(), [1], Path())])
def test_network_without_points_is_refused(rows_of):
    with pytest.raises(ConfigError, match="no bridging points"):
        rows_of(make("XConvTasNet", joint=True))


def test_every_row_and_seed_has_its_own_folder(tmp_path):
    cells = cells_of(make(), paper_rows(), [1, 2, 3], tmp_path)
    assert len(cells) == len({cell.folder for cell in cells}) == 24
    assert {cell.config.data.seed for cell in cells} == {1, 2, 3}
    assert (cells[0].name, cells[-1].name) == ("none, seed 1", "all, seed 3")


@pytest.mark.parametrize("seeds", [[], [1, 1]])
def test_seeds_must_be_given_and_distinct(seeds, tmp_path):
    with pytest.raises(ConfigError, match="one or more seeds, each once"):
        cells_of(make(), paper_rows(), seeds, tmp_path)

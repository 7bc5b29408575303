"""A grid, from options to table and picture: no work is repeated, lost or overstated."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from asteroid_xscheme.recipes.ablation import AblationError, ablate, paper_rows
from asteroid_xscheme.recipes.ablation.table import summary, to_markdown
from asteroid_xscheme.recipes.config import ConfigError

ROWS = ["none", "CL", "bridge"]
ALL = ["mixture, static filter, oracle", "inference"] + [
    f"{row}, seed {seed}" for row in ROWS for seed in (1, 2)
]


@pytest.fixture
def folder(finished, tmp_path):
    """A copy of a finished grid."""
    return Path(shutil.copytree(finished[0], tmp_path / "copy"))


def test_every_cell_runs_once_and_inference_is_timed_last(finished):
    calls = finished[-1]
    assert sorted(calls) == sorted(ALL) and calls[-1] == "inference"


def test_finished_grid_runs_nothing_again(stand_in, finished, folder, make):
    again = ablate(make(), paper_rows(ROWS), [1, 2], folder, 2, stand_in)
    assert stand_in.calls == [] and again.to_dict()["rows"] == finished[1].to_dict()["rows"]


def test_failed_cells_do_not_stop_others_and_only_they_run_again(stand_in, make, tmp_path):
    stand_in.failing = {"CL, seed 1", "bridge, seed 2"}
    with pytest.raises(AblationError, match="2 of 7 jobs failed.*\n.*no luck"):
        ablate(make(), paper_rows(ROWS), [1, 2], tmp_path, 2, stand_in)
    assert len(stand_in.calls) == 7
    failed, stand_in.failing = sorted(stand_in.failing), set()
    stand_in.calls.clear()
    ablate(make(), paper_rows(ROWS), [1, 2], tmp_path, 2, stand_in)
    assert sorted(stand_in.calls) == sorted([*failed, "inference"])


def test_adding_rows_and_seeds_repeats_no_cell(stand_in, make, folder):
    ablate(make(), paper_rows([*ROWS, "MDL"]), [1, 2, 3], folder, 2, stand_in)
    cells = {name for name in stand_in.calls if "seed" in name}
    assert cells == {f"MDL, seed {s}" for s in (1, 2, 3)} | {f"{row}, seed 3" for row in ROWS}


def test_other_options_are_refused(stand_in, make, folder):
    with pytest.raises(ConfigError, match="epochs was 1000, is now 5"):
        ablate(make(training={"epochs": 5}), paper_rows(ROWS), [1, 2], folder, 2, stand_in)
    assert stand_in.calls == []


def test_options_that_do_not_affect_figures_may_differ(stand_in, make, folder):
    faster = make(evaluation={"eval_jobs": 7}, training={"accelerator": "cpu"})
    ablate(faster, paper_rows(ROWS), [1, 2], folder, 2, stand_in)
    assert stand_in.calls == []


def test_different_number_of_devices_is_another_grid(stand_in, make, folder):
    with pytest.raises(ConfigError, match=r"processes \(devices\) was 1, is now 2"):
        ablate(make(training={"devices": "2"}), paper_rows(ROWS), [1, 2], folder, 2, stand_in)


def test_table_has_references_rows_and_verdicts(finished):
    text = (finished[0] / "ablation.md").read_text(encoding="utf-8")
    rows = [" ".join(line.split()) for line in text.splitlines() if "|" in line]
    lines = {row.split(" | ")[0].strip("| "): row for row in rows}
    assert {"mixture", "static filter", "ratio-mask oracle", *ROWS} <= set(lines)
    assert "5.40 ± 0.07" in lines["none"] and "2.00 M | 60 s | 3.50 s" in lines["none"]
    assert "+1.00 | +1.00 to +1.01 | < 0.001" in lines["bridge"] and "better" in lines["bridge"]
    assert "+0.00" in lines["CL"] and "not significant" in lines["CL"]
    assert "- commit of the cells: abc1234" in text and "- seeds: 1, 2" in text
    assert "No row is 1 dB above" not in text


def test_summary_distinguishes_certain_from_uncertain(finished):
    assert (
        summary(finished[1])
        == "Better than none: bridge. Not significantly different from none: CL."
    )


def test_models_at_the_level_of_an_equaliser_are_reported(finished):
    study = finished[1]
    assert not study.is_at_equaliser_level
    near = {"static filter": study.references["ratio-mask oracle"] - 2}
    assert "No row is 1 dB above the static filter" in to_markdown(
        replace(study, references=near), "p.png"
    )


def test_few_seeds_are_reported(finished):
    study = finished[1]
    assert "2 of at least 3 seeds" in to_markdown(study, "p.png")
    assert "at least 3 seeds" not in to_markdown(replace(study, seeds=[1, 2, 3]), "p.png")


def test_json_contains_the_table_and_every_seed(finished):
    content = json.loads((finished[0] / "ablation.json").read_text())
    bridge = content["rows"]["bridge"]
    assert bridge["difference"]["verdict"] == "better" and content["baseline"] == "none"
    assert bridge["sdr_by_seed"]["2"]["average"] == pytest.approx(6.47, abs=0.01)
    assert content["sdr_of_references"]["static filter"]["bass"] == pytest.approx(2.25)
    assert content["rows"]["none"]["difference"] is None


def test_whole_grid_reports_the_effect_of_each_technique(stand_in, make, tmp_path):
    study = ablate(make(), paper_rows(), [1, 2], tmp_path, 1, stand_in)
    text = " ".join(to_markdown(study, "p.png").split())
    assert "| bridge | +1.00 | +1.00 to +1.01 | 0.001 | better | 4 |" in text
    assert "| MDL | +0.00 | +0.00 to +0.00 | 1.000 | not significant | 4 |" in text
    effects = json.loads((tmp_path / "ablation.json").read_text())["effects"]
    assert effects["bridge"]["difference"]["verdict"] == "better"
    assert ["MDL+CL", "all"] in effects["bridge"]["pairs"]


def test_effects_that_repeat_the_rows_are_not_reported_twice(finished):
    assert set(finished[1].effects) == {"CL", "bridge"}
    assert "pairs of rows" not in to_markdown(finished[1], "p.png")


def test_picture_is_drawn(finished):
    assert (finished[0] / "ablation.png").read_bytes()[:4] == b"\x89PNG"


def test_single_seed_has_an_interval_over_tracks_but_no_deviation(stand_in, make, tmp_path):
    study = ablate(make(), paper_rows(ROWS), [1], tmp_path, 1, stand_in)
    assert study.to_dict()["rows"]["bridge"]["sdr_deviation"]["average"] is None
    assert study.rows["bridge"].comparison.low == pytest.approx(1.0, abs=0.01)


def test_cells_with_other_tracks_are_refused(stand_in, make, folder):
    path = folder / "CL_seed1" / "all_metrics.csv"
    path.write_text(path.read_text().replace("track 3", "another track"))
    with pytest.raises(AblationError, match="the test tracks have changed"):
        ablate(make(), paper_rows(ROWS), [1, 2], folder, 2, stand_in)

"""Results of benchmarks become a page with a table each, and pictures."""

import argparse
import importlib
import json
import re

import pytest

from benchmarks.page import BENCHMARKS, of_one_kind, table, write_page
from benchmarks.pairing import environment
from benchmarks.pictures import PICTURES, panels_of_lengths, panels_of_sources


def summary(value):
    return {"median": value, "min": value / 2, "max": 2 * value}


TIMES = {"ratio": summary(2.0), "ours_seconds": summary(1.0), "peer_seconds": summary(3.0)}
ROWS = {
    "combination_loss": [
        {"sources": n, "stft": stft, "peer": peer, **TIMES}
        for n in (2, 4)
        for stft in (False, True)
        for peer in ("enumeration", "ours, 4 sources")
    ],
    "training_step": [{"batch": n, **TIMES} for n in (1, 2)],
    "separation": [
        {"peer": "asteroid", "minutes": 3.0, **TIMES, "ours_gigabytes": 1.0, "peer_gigabytes": 9.0},
        {"program": "ours", "minutes": 60.0, "seconds": 20.0, "peak_gigabytes": 1.0},
    ],
}


@pytest.fixture
def results(tmp_path):
    """A folder with results of three benchmarks and the note of one that could not run."""
    folder = tmp_path / "results"
    folder.mkdir()
    for module, rows in {**ROWS, "gpu": []}.items():
        note = "" if rows else "There was no GPU."
        result = {"environment": environment(), "rows": rows, "note": note}
        (folder / f"{module}.json").write_text(json.dumps(result))
    return folder


def test_page_has_a_section_for_every_benchmark(results, tmp_path):
    write_page(tmp_path / "page.md", results)
    text = (tmp_path / "page.md").read_text()
    assert re.findall("^## (.*)", text, re.MULTILINE) == [b.claim for b in BENCHMARKS.values()]
    assert "There was no GPU." in text
    assert text.count("Not run yet") == len(BENCHMARKS) - 4


class Parsed(Exception):
    """A benchmark has read its options; nothing is measured."""


@pytest.mark.parametrize("name", BENCHMARKS)
def test_benchmark_accepts_the_options_on_the_page(name, monkeypatch):
    parse = argparse.ArgumentParser.parse_args

    def parse_and_stop(parser):
        raise Parsed(parse(parser))

    benchmark = BENCHMARKS[name]
    checkout = [] if benchmark.checkout == "no" else ["--asteroid", "checkout"]
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    monkeypatch.setattr("sys.argv", [name, *checkout, *benchmark.arguments])
    with pytest.raises(Parsed) as parsed:
        importlib.import_module(f"benchmarks.{name}").main()
    assert hasattr(parsed.value.args[0], "asteroid") == (benchmark.checkout != "no")


@pytest.mark.parametrize("name", [n for n, b in BENCHMARKS.items() if b.checkout == "must"])
def test_benchmark_that_needs_a_checkout_asks_for_it(name, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", [name])
    with pytest.raises(SystemExit):
        importlib.import_module(f"benchmarks.{name}").main()
    assert "--asteroid" in capsys.readouterr().err


def test_pictures_are_where_the_page_expects_them(results, tmp_path):
    write_page(tmp_path / "page.md", results)
    targets = re.findall(r"!\[.+\]\((.+)\)", (tmp_path / "page.md").read_text())
    assert targets == [f"results/{module}.svg" for module in BENCHMARKS if module in PICTURES]
    assert all("<svg" in (tmp_path / target).read_text() for target in targets)


def test_same_results_give_the_same_picture(results, tmp_path):
    pictures = []
    for _ in range(2):
        write_page(tmp_path / "page.md", results)
        pictures.append((results / "separation.svg").read_bytes())
    assert pictures[0] == pictures[1]


def test_table_has_a_column_for_every_name_and_gaps_where_missing():
    lines = table([{"a_b": 1.0, "holds": True, "c": summary(2.0)}, {"c": 11480.0}]).splitlines()
    assert lines == [
        "| a b | holds | c |",
        "|---|---|---|",
        "| 1 | yes | 2 (1 to 4) |",
        "|  |  | 11480 |",
    ]


def test_rows_of_another_kind_have_their_own_table():
    speed, memory = [{"peer": "a", "ratio": 2.0}, {"peer": "b"}], [{"megabytes": 3.0}]
    assert of_one_kind(speed + memory) == [speed, memory]


def test_lines_of_a_picture_have_a_point_for_each_size():
    alone, with_stft = panels_of_sources(ROWS["combination_loss"])
    assert alone.lines["ours"] == with_stft.lines["ours"] == [(2, 1.0), (4, 1.0)]
    assert alone.lines["asteroid"] == []
    time, memory = panels_of_lengths(ROWS["separation"])
    assert time.lines == {"ours": [(3.0, 1.0), (60.0, 20.0)], "asteroid": [(3.0, 3.0)]}
    assert memory.lines["asteroid"] == [(3.0, 9.0)]

"""The benchmarks without a peer from elsewhere, at tiny size, and how all of them compare."""

import argparse
import importlib.util
import json
import time

import pytest
import torch

from asteroid_xscheme.recipes.config import Config
from benchmarks import (
    checkpoint_loading,
    d3net,
    gpu,
    peers,
    precision,
    recipes,
    separation,
    startup,
)
from benchmarks.pairing import Alone, compare, ratios, repeat, save


def test_ratio_is_the_speedup_of_ours(monkeypatch):
    now = iter(2.0**k for k in range(100))  # each look at the clock takes as long as all before
    monkeypatch.setattr(time, "perf_counter", lambda: next(now))
    found = compare(lambda: None, lambda: None, repeats=2, warmup=1)
    assert found["ratio"] == {"median": 4.0, "min": 4.0, "max": 4.0}
    assert found["ours_seconds"] == {"median": 8.5, "min": 1.0, "max": 16.0}
    assert found["peer_seconds"] == {"median": 34.0, "min": 4.0, "max": 64.0}


def test_ratios_are_computed_by_pair():
    ours, peer = Alone(1.0, 2.0, 0, 0), Alone(4.0, 4.0, 0, 0)
    found = ratios([(ours, peer), (ours, ours)])
    assert found["ratio"] == {"median": 2.5, "min": 1.0, "max": 4.0}
    assert found["cpu_ratio"]["max"] == 2.0


def test_work_is_repeated_as_often_as_requested():
    done = []
    repeat(lambda: done.append(1), repeats=3, warmup=2)
    assert len(done) == 5


def test_result_names_its_machine_and_why_it_has_no_rows(tmp_path):
    save([], tmp_path / "result.json", "no GPU")
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["rows"] == [] and result["note"] == "no GPU"
    assert {"threads", "cores", "load", "date", "versions"} <= set(result["environment"])


def test_missing_peers_are_named_with_install_instructions(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(peers.PeerError, match=r"norbert, openunmix.*\.\[bench\]"):
        peers.check_installed(["norbert", "openunmix"])
    with pytest.raises(peers.PeerError, match="need openunmix"):
        peers.import_openunmix()


def test_help_imports_no_heavy_package_within_a_limit():
    quick, slow = (startup.inspect_help(1, share * startup.LIMIT) for share in (0.9, 1.1))
    assert quick["imports"] == "nothing heavy"
    assert quick["holds"] and not slow["holds"]


def test_all_ways_to_load_weights_agree(tmp_path):
    files = checkpoint_loading.write_files(tmp_path, hidden_size=8)
    readings = (
        checkpoint_loading.LOAD,
        checkpoint_loading.SAFETENSORS,
        checkpoint_loading.TORCH_LOAD,
    )
    first, *others = [checkpoint_loading.prepare(name, files, None)() for name in readings]
    for other in others:
        torch.testing.assert_close(dict(other["state_dict"]), dict(first["state_dict"]))
    model = checkpoint_loading.prepare(checkpoint_loading.MODEL, files, None)()
    assert model.get_model_args()["hidden_size"] == 8


TINY_PATH = {"init_channels": 2, "growth": [2], "layers": [1], "blocks": [1]}
TINY_D3NET = {
    "valid_bins": 48,
    "splits": [],
    "bands": [TINY_PATH],
    "full": TINY_PATH,
    "final_growth": 2,
    "patch_frames": 16,
    "patch_shift": 8,
}


@pytest.mark.parametrize("name", d3net.PRECISIONS)
def test_work_of_d3net_is_a_fraction_of_peak_throughput(name):
    row = d3net.compare_inference(TINY_D3NET, name, repeats=1)
    assert row["share_of_peak"] * row["peak_gflop_per_second"] == pytest.approx(
        row["gflop_per_second"]
    )
    per_patch = row["gflop_per_second"] * row["ours_seconds"]["median"] / 2
    seconds = row["frames"] / 2 * d3net.HOP / d3net.RATE  # of new music in a patch
    assert row["gmac_per_second_of_audio"] == pytest.approx(per_patch / seconds)


def test_training_step_of_d3net_has_a_ratio_and_memory():
    row = d3net.compare_training(TINY_D3NET, n_frames=16, repeats=1)
    assert row["ratio"]["median"] > 0 and row["ours_mb"] > 0 and row["peer_mb"] > 0


def test_deviation_is_the_energy_of_the_difference():
    one = {"bass": torch.ones(2, 8), "drums": torch.zeros(2, 8)}
    other = {"bass": torch.ones(2, 8), "drums": torch.full((2, 8), 0.1)}
    assert precision.deviation_db(other, one) == pytest.approx(-20)


def test_song_of_noise_has_its_stated_length():
    song = separation.noise_song(12.5)
    assert sum(block.shape[-1] for block in song.open()) == song.n_samples == 551250


def test_every_repetition_separates_the_whole_song(tmp_path, monkeypatch):
    lengths = []

    def count(separator, song):
        lengths.append(sum(block.shape[-1] for block in separator.stream(song)))

    monkeypatch.setattr(separation, "drain", count)
    work = separation.prepare(separation.Case("ours", 0.5, tmp_path, hidden_size=8))
    work()
    work()
    assert lengths == [round(0.5 * separation.RATE)] * 3  # the first one warms up


def test_gpu_rows_do_not_depend_on_the_device(monkeypatch):
    config = Config.from_dict({"model": {"architecture": "XUMX", "hidden_size": 8}})
    monkeypatch.setattr(gpu, "read_recipe", lambda name, saving: config)
    options = argparse.Namespace(
        device="cpu", recipes=["X-UMX"], batch=1, seconds=0.2, song=0.01, hidden=8, repeats=1
    )
    rows = gpu.run(options)
    assert [row["precision"] for row in rows] == ["32-true", "bf16-mixed", "float32", "bf16"]
    assert all(row["segments/s"] > 0 for row in rows[:2])
    assert all(row["song seconds/s"] > 0 for row in rows[2:])
    assert not any("peak_gigabytes" in row for row in rows)


def test_missing_gpu_gives_no_rows_and_a_line_that_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gpu, "find_gpu", lambda: None)
    path = tmp_path / "gpu.json"
    monkeypatch.setattr("sys.argv", ["gpu", "--json", str(path), "--threads", "1"])
    threads = torch.get_num_threads()
    gpu.main()
    torch.set_num_threads(threads)
    result = json.loads(path.read_text())
    assert result["rows"] == [] and result["note"] == gpu.NO_GPU
    assert gpu.NO_GPU in capsys.readouterr().out


@pytest.mark.parametrize("name, option", recipes.SAVING.items())
def test_recipe_is_read_with_the_option_that_saves_memory(name, option):
    assert getattr(recipes.read_recipe(name, saving=True).model, option) is True

"""The arithmetic of scaling, what is counted of a step, and that the page says both."""

import json
from pathlib import Path

import pytest

from asteroid_xscheme.recipes.config import Config
from benchmarks.counting import count_step
from benchmarks.scaling import Cost, Data, Machine, all_reduce_seconds, plan
from benchmarks.scaling_page import tables, with_tables

DOCS = Path(__file__).parents[2] / "docs"
# 1 TFLOP forward and 2 backward per segment, 100 steps of an LSTM, 1 GB of gradients
COST = Cost("toy", "-", 4, 10, 10, 2.0, 1000.0, 250_000_000, 0.5e12, 1.0e12, 100, 1.0)
MACHINE = Machine(
    teraflops=6.0,
    recurrent_microseconds=1000.0,
    node_gigabytes=10.0,
    network_gigabytes=1.0,
    loader_megabytes=0.001,
)
DATA = Data(tracks=8, validation_hours=0.01, sources=3, channels=2, sample_bytes=2)
TINY = {
    "XUMX": {
        "window_length": 64,
        "in_chan": 64,
        "nhop": 16,
        "hidden_size": 8,
        "nb_layers": 2,
        "bandwidth": 4000,
    },
    "XConvTasNet": {
        "n_filters": 8,
        "bn_chan": 8,
        "hid_chan": 16,
        "n_blocks": 2,
        "n_repeats": 2,
        "window_length": 64,
        "in_chan": 64,
        "nhop": 16,
    },
}


def make_config(architecture, **options):
    model = {"architecture": architecture, **TINY[architecture], **options}
    return Config.from_dict({"model": model, "data": {"sample_rate": 8000}})


def test_step_time_is_arithmetic_plus_wait_plus_gradients():
    alone = plan(COST, 1, 1, MACHINE, DATA)
    assert alone.compute == pytest.approx(4 * 3 / 6)
    assert alone.recurrence == pytest.approx(3 * 100 * 1e-3)
    assert alone.all_reduce == 0
    assert alone.step == pytest.approx(2.3)
    assert alone.steps == 20  # 8 tracks x 10 segments / 4


def test_hours_include_all_epochs_and_their_validation():
    # 36 s of validation are 18 segments of 1 TFLOP and 0.1 s of wait
    seconds = 10 * (20 * 2.3 + 18 * (1 / 6 + 0.1))
    assert plan(COST, 1, 1, MACHINE, DATA).hours == pytest.approx(seconds / 3600)


def test_ring_all_reduce_runs_at_the_speed_of_its_slowest_link():
    assert all_reduce_seconds(COST.parameters, 1, 8, MACHINE) == pytest.approx(2 * 7 / 8 / 10)
    assert all_reduce_seconds(COST.parameters, 4, 8, MACHINE) == pytest.approx(2 * 31 / 32)


def test_required_read_rate_matches_the_consumption_of_steps():
    two = plan(COST, 1, 2, MACHINE, DATA)
    assert two.steps == 10
    assert two.segments == pytest.approx(8 / two.step)
    assert two.megabytes == pytest.approx(two.segments * 2.0 * 1000 * 3 * 2 * 2 / 1e6)
    assert two.cores == 80  # 0.08 MB/s at 0.001 MB/s each


def test_wait_for_recurrent_layers_does_not_shrink_with_the_batch():
    shared = plan(COST, 1, 4, MACHINE, DATA, batch=1)
    assert shared.recurrence == plan(COST, 1, 1, MACHINE, DATA).recurrence
    assert shared.compute == pytest.approx(0.5)
    assert shared.steps == 20


def test_operations_of_x_umx_are_its_weights_times_its_frames():
    config, n_samples, batch = make_config("XUMX", hidden_size=64), 800, 3
    counted = count_step(config, batch, n_samples)
    n_frames, n_bins, hidden = 1 + n_samples // 16, 33, 64
    encoder = 2 * n_bins * hidden
    lstm = 2 * 2 * 4 * (hidden // 2) * (hidden + hidden // 2)  # layers, directions, gates
    decoder = 2 * hidden * hidden + hidden * 2 * n_bins
    expected = 4 * batch * n_frames * (encoder + lstm + decoder)
    assert counted.forward_macs == pytest.approx(expected, rel=0.01)
    # the spectrogram needs no gradient, so the encoder is gone through once less
    expected = 2 * expected - 4 * batch * n_frames * encoder
    assert counted.backward_macs == pytest.approx(expected, rel=0.01)
    assert counted.recurrent_steps == 4 * 2 * n_frames


def test_checkpointing_takes_less_memory_and_more_arithmetic():
    plain = count_step(make_config("XConvTasNet"), 2, 4000)
    saving = count_step(make_config("XConvTasNet", checkpointing=True), 2, 4000)
    assert saving.parameters == plain.parameters
    assert saving.forward_macs == plain.forward_macs
    assert saving.backward_macs > 1.2 * plain.backward_macs
    assert saving.peak_bytes < 0.8 * plain.peak_bytes


def test_page_contains_the_tables_of_the_counts():
    result = json.loads((DOCS / "benchmarks" / "step_cost.json").read_text(encoding="utf-8"))
    page = (DOCS / "scaling.md").read_text(encoding="utf-8")
    written = with_tables(page, tables(result, Machine(), Data()))
    assert page == written, "Run `python -m benchmarks.scaling_page`."


def test_page_without_a_place_for_a_table_is_refused():
    with pytest.raises(ValueError, match="<!-- table: hours -->"):
        with_tables("no table here", {"hours": "| |"})

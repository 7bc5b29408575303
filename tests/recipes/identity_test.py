"""Every change to what an output was made of is noticed and named; nothing else is a change."""

import os

import pytest
import torch

from asteroid_xscheme.recipes import identity
from asteroid_xscheme.recipes.config import Config, DataConfig, TrainingConfig, result_options
from asteroid_xscheme.recipes.data import configured_tracks, track_contents
from asteroid_xscheme.recipes.identity import (
    compare,
    digest,
    file_hash,
    read_record,
    weights_hash,
    write_record,
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_output_without_a_record_is_unknown():
    answer = compare(None, {"niter": 1})
    assert not answer.is_known and not answer.is_same
    assert str(answer) == "there is no record of what it was made from"


def test_saved_record_reads_back_as_the_same(tmp_path):
    record = {"sources": ("bass", "drums"), "lr": 1e-3, "root": tmp_path, "none": None}
    write_record(tmp_path, record)
    assert compare(read_record(tmp_path), record).is_same


def test_every_difference_is_named():
    before = {"niter": 1, "tracks": {"a": digest(1), "b": digest(2)}, "old": 0}
    now = {"niter": 0, "tracks": {"a": digest(3), "b": digest(2)}, "new": 0}
    assert str(compare(before, now)) == (
        "new is new; niter was 1, is now 0; old is gone; tracks, a changed"
    )


def test_damaged_record_is_unknown_with_a_warning(tmp_path, caplog):
    (tmp_path / identity.RECORD_FILE).write_text('{"niter": ')
    assert read_record(tmp_path) is None
    assert "is damaged" in caplog.text


def package(**changes):
    state = {"a": torch.arange(4.0), "b": torch.zeros(2, 2)}
    return {"model_name": "XUMX", "model_args": {"n": 1}, "state_dict": state, **changes}


@pytest.mark.parametrize(
    "changed",
    [
        package(model_name="XD3Net"),
        package(model_args={"n": 2}),
        package(state_dict={"a": torch.arange(4.0), "c": torch.zeros(2, 2)}),
        package(state_dict={"a": torch.arange(4.0), "b": torch.zeros(4)}),
        package(state_dict={"a": torch.arange(4.0), "b": torch.zeros(2, 2).half()}),
        package(state_dict={"a": -torch.arange(4.0), "b": torch.zeros(2, 2)}),
    ],
)
def test_any_change_to_a_model_changes_its_hash(changed):
    assert weights_hash(changed) != weights_hash(package())


def test_entries_that_are_not_part_of_a_model_do_not_change_its_hash():
    state = package()["state_dict"]
    reordered = package(state_dict=dict(reversed(state.items())), infos={"recipe": "mine"})
    assert weights_hash(reordered) == weights_hash(package())


def test_unchanged_file_is_hashed_once(tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    path.write_bytes(b"content")
    os.utime(path, (1e9, 1e9))  # long settled
    expected = file_hash(path)
    monkeypatch.setattr(identity, "_hash_content", lambda path: pytest.fail("read again"))
    assert file_hash(path) == expected


def test_replaced_file_of_equal_size_and_time_is_hashed_again(tmp_path):
    path, other = tmp_path / "a.wav", tmp_path / "b.wav"
    hashes = []
    for content in (b"one", b"two"):
        other.write_bytes(content)
        os.utime(other, (1e9, 1e9))
        os.replace(other, path)
        hashes.append(file_hash(path))
    assert hashes[0] != hashes[1]


def test_hash_of_a_file_just_written_is_not_cached(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"one")
    first = file_hash(path)
    path.write_bytes(b"two")
    assert file_hash(path) != first


def test_unwritable_cache_costs_only_time_and_a_warning(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert file_hash(tmp_path / "file") == file_hash(tmp_path / "file")
    assert "cannot be cached" in caplog.text


def test_identity_of_a_track_does_not_depend_on_its_path(songs, tmp_path, make_config):
    copy = tmp_path / "copy"
    os.makedirs(copy / "test")
    os.symlink(songs / "test" / "t", copy / "test" / "t")
    here = make_config(data={"test_dir": str(songs)}).data
    there = make_config(data={"test_dir": str(copy)}).data
    contents = [track_contents(configured_tracks(data, "test")) for data in (here, there)]
    assert contents[0] == contents[1] and set(contents[0]) == {"test/t"}


def test_source_map_changes_the_identity_of_a_track(songs, make_config):
    swapped = {songs.name: {"bass": "drums", "drums": "bass"}}
    contents = [
        track_contents(configured_tracks(make_config(data={"source_map": m}).data, "test"))
        for m in ({}, swapped)
    ]
    assert contents[0]["test/t"] != contents[1]["test/t"]


def test_options_declare_whether_they_affect_results():
    assert "seq_dur" in result_options(DataConfig())
    assert {"num_workers", "train_dir"}.isdisjoint(result_options(DataConfig()))
    assert result_options(TrainingConfig(batch_size=3))["batch_size"] == 3
    for group in vars(Config()).values():
        assert isinstance(group, str) or set(result_options(group)) <= set(vars(group))

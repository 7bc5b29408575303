"""Weights by URL, from a server that misbehaves like real ones, and asteroid's cache."""

import hashlib
import logging
import os
import pickle

import pytest
import torch
from asteroid.utils import hub_utils

from asteroid_xscheme.weights import CheckpointError
from asteroid_xscheme.weights.fetching import (
    cache_dir,
    find_cached,
    load_url,
    recorded_checksum,
)

FILE = "/files/model.pth"
OLD, NEW = "/record/7/files/a.pth?download=1", "/records/7/files/a.pth"


def load(server, path=FILE, **options):
    return load_url(server.url + path, **{"retries": 2, "backoff": 0.001, **options})


def put_in_cache(url, content):
    """Store a file in the cache like asteroid."""
    folder = cache_dir() / hub_utils.url_to_filename(url)
    folder.mkdir(parents=True)
    (folder / "model.pth").write_bytes(content)
    return folder / "model.pth"


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def is_whole(package):
    return torch.equal(package["state_dict"]["weight"], torch.arange(2000.0))


def test_weights_are_fetched_once_and_then_come_from_the_cache(server, weights):
    server.answers[FILE] = weights
    assert is_whole(load(server)) and is_whole(load(server, offline=True))
    assert server.asked == [FILE]


def test_cache_is_shared_with_asteroid(server, weights, cache, monkeypatch):
    monkeypatch.setattr(hub_utils, "CACHE_DIR", str(cache))
    url = server.url + FILE
    server.answers[FILE] = weights
    load(server)
    assert hub_utils.cached_download(url) == str(find_cached(url))
    assert len(server.asked) == 1


def test_default_cache_is_asteroids(monkeypatch):
    monkeypatch.delenv("ASTEROID_CACHE")
    assert cache_dir().parts[-3:] == (".cache", "torch", "asteroid")


@pytest.mark.parametrize("trouble", ["reset", 503, "cut"])
def test_temporary_failure_is_retried(server, weights, trouble):
    cut = (weights[:2000], len(weights))
    server.answers[FILE] = [cut if trouble == "cut" else trouble, weights]
    assert is_whole(load(server))


def test_redirect_is_followed_and_cached_under_the_requested_url(server, weights):
    server.answers.update({FILE: "/elsewhere", "/elsewhere": weights})
    assert is_whole(load(server)) and find_cached(server.url + FILE)


@pytest.mark.parametrize(
    "answer, words",
    [
        ("reset", "could not be downloaded in 3 attempts.*download it by hand to"),
        (403, r"access denied \(403\)"),
        (404, r"not found \(404\); it may have moved"),
        (b"<!doctype html><html>Sign in</html>", "a web page instead of the file"),
        (b"not weights at all", "cannot be used.*text that begins with 'not weights"),
        (b"", "cannot be used.*an empty file"),
    ],
)
def test_failure_names_the_url_and_leaves_nothing_in_the_cache(server, answer, words):
    server.answers[FILE] = answer
    with pytest.raises(CheckpointError, match=f"{server.url}{FILE}.*{words}"):
        load(server)
    assert find_cached(server.url + FILE) is None


def test_file_that_needs_code_is_refused_and_not_kept(server, tmp_path):
    server.answers[FILE] = pickle.dumps(os.getcwd, 2)
    with pytest.raises(CheckpointError, match="getcwd"):
        load(server)
    assert find_cached(server.url + FILE) is None


def test_offline_without_a_copy_says_where_to_put_one(server):
    with pytest.raises(CheckpointError, match=r"downloads are off \(offline\).*put it there"):
        load(server, offline=True)
    assert server.asked == []


@pytest.mark.parametrize("given, other", [(OLD, NEW), (NEW, OLD)])
@pytest.mark.parametrize("refusal", [403, 404, b"<html>moved</html>"])
def test_refused_form_of_a_zenodo_url_falls_back_to_the_other(
    server, weights, given, other, refusal
):
    server.answers.update({given: refusal, other: weights})
    assert is_whole(load(server, given))
    assert server.asked == [given, other]
    assert find_cached(server.url + given) == find_cached(server.url + other)


def test_both_forms_refused_are_both_reported(server):
    with pytest.raises(CheckpointError, match=r"record/7.*404.*records/7.*404"):
        load(server, OLD)


@pytest.mark.parametrize("spelling", [OLD, NEW, OLD.partition("?")[0], f"{NEW}?download=1"])
def test_file_cached_under_any_spelling_of_its_url_is_found(server, weights, spelling):
    path = put_in_cache(server.url + spelling, weights)
    assert find_cached(server.url + OLD) == find_cached(server.url + NEW) == path
    assert is_whole(load(server, OLD)) and server.asked == []


@pytest.mark.parametrize("broken", ["cut", "empty", "html"])
def test_broken_file_that_asteroid_left_is_fetched_again(server, weights, broken, caplog):
    content = {"cut": weights[:3000], "empty": b"", "html": b"<html>"}[broken]
    path = put_in_cache(server.url + FILE, content)
    server.answers[FILE] = weights
    with caplog.at_level(logging.WARNING):
        assert is_whole(load(server))
    assert "damaged and is downloaded again" in caplog.text and path.read_bytes() == weights


def test_broken_file_is_kept_and_reported_when_offline(server, weights):
    path = put_in_cache(server.url + FILE, weights[:3000])
    with pytest.raises(CheckpointError, match="cached file is damaged, and downloads are off"):
        load(server, offline=True)
    assert path.exists()


def test_checksum_of_the_first_copy_is_recorded_and_reported(server, weights, caplog):
    server.answers[FILE] = weights
    with caplog.at_level(logging.INFO):
        load(server)
    assert recorded_checksum(server.url + FILE) == digest(weights)
    assert f"recorded {digest(weights)}" in caplog.text


def test_checksum_is_also_recorded_for_asteroids_copy(server, weights):
    put_in_cache(server.url + FILE, weights)
    load(server)
    assert recorded_checksum(server.url + FILE) == digest(weights)


def test_copy_changed_in_the_cache_is_fetched_again(server, weights, package, tmp_path):
    server.answers[FILE] = weights
    load(server)
    package["state_dict"]["weight"] = torch.zeros(2000)
    torch.save(package, find_cached(server.url + FILE))  # whole, but not what came
    assert is_whole(load(server)) and len(server.asked) == 2


def test_different_file_at_the_url_is_refused_by_the_recorded_checksum(server, weights):
    server.answers[FILE] = weights
    load(server)
    find_cached(server.url + FILE).unlink()
    server.answers[FILE] = weights + b"more"
    with pytest.raises(CheckpointError, match="the download does not match the checksum sha256"):
        load(server)


def test_known_checksum_is_verified_and_none_recorded(server, weights):
    server.answers[FILE] = weights
    assert is_whole(load(server, checksum=digest(weights)))
    assert recorded_checksum(server.url + FILE) is None
    with pytest.raises(CheckpointError, match="does not match the checksum sha1"):
        load(server, checksum="sha1:" + "0" * 40)


def test_read_only_cache_is_still_read(server, weights, monkeypatch):
    put_in_cache(server.url + FILE, weights)
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    assert is_whole(load(server)) and recorded_checksum(server.url + FILE) is None


def test_cache_that_cannot_be_created_names_the_variable_to_set(
    server, weights, tmp_path, monkeypatch
):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("ASTEROID_CACHE", str(tmp_path / "file" / "cache"))
    server.answers[FILE] = weights
    with pytest.raises(CheckpointError, match="cache cannot be written.*ASTEROID_CACHE"):
        load(server)

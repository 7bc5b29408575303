"""Statistics of mixtures, computed in blocks and on whole tracks, and their cache."""

import os

import numpy as np
import pytest
import torch

from asteroid_xscheme.audio import write_audio
from asteroid_xscheme.recipes.data import DataError, find_tracks, magnitude_statistics, statistics
from asteroid_xscheme.dsp.stft import stft

from .conftest import SOURCES

STFT = {"n_fft": 128, "hop": 32}


@pytest.fixture
def tracks(root, make_track):
    make_track(root / "train" / "long", n_samples=18_123)
    make_track(root / "train" / "short", n_samples=40)
    return find_tracks(root, "train", SOURCES)


def whole_track_statistics(mixtures, n_fft, hop, power=1.0):
    window = torch.hann_window(n_fft)
    frames = [(stft(m, window, n_fft, hop).abs() ** power).mean(0).T for m in mixtures]
    frames = torch.cat(frames).double().numpy()
    return frames.mean(0), frames.std(0)


def mixtures_of(tracks, make_track, tmp_path):
    for track in tracks:
        folder = tmp_path / "again" / track.name
        yield make_track(folder, n_samples=track.n_samples).sum(0)


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_statistics_in_blocks_equal_those_of_whole_tracks(
    tracks, make_track, tmp_path, power, monkeypatch
):
    monkeypatch.setattr(statistics, "_BLOCK_FRAMES", 50)
    mean, std = magnitude_statistics(tracks, **STFT, spec_power=power)
    mixtures = mixtures_of(tracks, make_track, tmp_path)
    expected_mean, expected_std = whole_track_statistics(mixtures, 128, 32, power)
    assert mean.dtype == std.dtype == np.float64 and mean.shape == (65,)
    np.testing.assert_allclose(mean, expected_mean, rtol=1e-5)
    np.testing.assert_allclose(std, expected_std, rtol=1e-5)


def test_mono_model_uses_statistics_of_the_mono_mixture(tracks, make_track, tmp_path):
    mean, _ = magnitude_statistics(tracks, **STFT, nb_channels=1)
    mixtures = [m.mean(0, keepdim=True) for m in mixtures_of(tracks, make_track, tmp_path)]
    np.testing.assert_allclose(mean, whole_track_statistics(mixtures, 128, 32)[0], rtol=1e-5)


def test_standard_deviation_has_a_floor(tracks, monkeypatch):
    _, plain = magnitude_statistics(tracks, **STFT)
    monkeypatch.setattr(statistics, "_FLOOR", 0.97)
    _, std = magnitude_statistics(tracks, **STFT)
    assert plain.min() < 0.97 * plain.max()
    np.testing.assert_array_equal(std, np.maximum(plain, 0.97 * plain.max()))


def test_silence_has_standard_deviation_1(tmp_path):
    (tmp_path / "train" / "x").mkdir(parents=True)
    write_audio(tmp_path / "train" / "x" / "bass.wav", torch.zeros(2, 800), 8000)
    mean, std = magnitude_statistics(find_tracks(tmp_path, "train", SOURCES), **STFT)
    assert not mean.any() and (std == 1).all()


def test_cache_is_read_until_settings_or_files_change(tracks, tmp_path, monkeypatch):
    cache = tmp_path / "kept"
    first = magnitude_statistics(tracks, **STFT, cache=cache)
    with monkeypatch.context() as patch:
        patch.setattr(statistics, "_compute", None)
        again = magnitude_statistics(tracks, **STFT, cache=cache)
    np.testing.assert_array_equal(first, again)
    assert len(list(cache.glob("*.npz"))) == 1
    magnitude_statistics(tracks, n_fft=128, hop=64, cache=cache)
    magnitude_statistics(tracks, **STFT, nb_channels=1, cache=cache)
    magnitude_statistics(tracks[1:], **STFT, cache=cache)
    os.utime(tracks[0].source_files["bass"][0], (1, 1))  # the same content
    magnitude_statistics(tracks, **STFT, cache=cache)
    assert len(list(cache.glob("*.npz"))) == 4
    write_audio(tracks[0].source_files["bass"][0], torch.zeros(2, 8000), 8000)
    changed = magnitude_statistics(tracks, **STFT, cache=cache)
    assert len(list(cache.glob("*.npz"))) == 5 and not np.array_equal(changed, first)
    assert not list(cache.glob(".*part"))


def test_damaged_statistics_are_computed_again_with_a_warning(tracks, tmp_path, caplog):
    first = magnitude_statistics(tracks, **STFT, cache=tmp_path / "kept")
    (path,) = (tmp_path / "kept").glob("*.npz")
    path.write_bytes(path.read_bytes()[:100])
    np.testing.assert_array_equal(
        magnitude_statistics(tracks, **STFT, cache=tmp_path / "kept"), first
    )
    assert "is damaged; computing the statistics again" in caplog.text


def test_users_folder_is_not_written_to(root, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert statistics.statistics_folder(root).is_relative_to(tmp_path / "cache")
    (root / "prepared.json").write_text('{"dataset": "folder", "sample_rate": 8000}')
    assert statistics.statistics_folder(root) == root / "statistics"


def test_no_tracks_are_an_error():
    with pytest.raises(DataError, match="no tracks to compute the statistics from"):
        magnitude_statistics([], **STFT)

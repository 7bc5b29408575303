"""The content of a mixer page, and the cases in which none is written."""

import io
import json
import re
from base64 import b64decode

import numpy as np
import pytest
import soundfile
import torch

from asteroid_xscheme.listening import ListeningError, waveform_peaks, write_page
from asteroid_xscheme.separation import song_of_waveform


def song_of(waveform, rate=8000):
    """A song of (T, C)."""
    return song_of_waveform(torch.from_numpy(np.array(waveform.T, np.float32)), rate)


def described(page):
    """The description of the mixer that a page contains."""
    text = page.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="song">(.*?)</script>', text).group(1))


def sound(page, track, description):
    """The waveform (T, C) of a track: its chunks, joined."""
    text = page.read_text(encoding="utf-8")
    parts = []
    for chunk in description["tracks"][track]["chunks"]:
        coded = re.search(rf'id="{chunk["key"]}">(.*?)</script>', text).group(1)
        waveform, _ = soundfile.read(io.BytesIO(b64decode(coded)), dtype="float32", always_2d=True)
        assert len(waveform) == chunk["length"]
        parts.append(waveform)
    return np.concatenate(parts)


def test_page_contains_every_source_bit_for_bit(songs, waveforms, tmp_path, monkeypatch):
    monkeypatch.setattr("asteroid_xscheme.listening.page.CHUNK_SECONDS", 1)
    page = write_page(tmp_path / "listen.html", "song", songs)
    description = described(page)
    assert [len(track["chunks"]) for track in description["tracks"]] == [3, 3, 3]
    for i, waveform in enumerate(waveforms):
        assert np.array_equal(sound(page, i, description), waveform)


def test_mixture_that_is_the_sum_is_played_as_the_sum(songs, waveforms, tmp_path):
    page = write_page(tmp_path / "listen.html", "s", songs, song_of(waveforms.sum(0)))
    description = described(page)
    assert len(description["tracks"]) == 3
    assert description["scenes"][1] == {"name": "mixture", "sum_of": 0}
    assert "the largest difference is 0 of 32768 steps" in page.read_text(encoding="utf-8")


def test_mixture_that_differs_from_the_sum_is_stored_at_the_level_of_the_sources(
    songs, waveforms, tmp_path
):
    page = write_page(tmp_path / "listen.html", "s", songs, song_of(0.5 * waveforms[0]), gain=0.5)
    description = described(page)
    assert description["scenes"][1] == {"name": "mixture", "sum_of": None}
    expected = 0.25 * waveforms[0]
    assert np.abs(sound(page, 3, description) - expected).max() <= 0.5 * 2**-15


def test_peaks_are_the_largest_magnitudes():
    waveform = np.zeros((2500, 2), np.float32)
    waveform[10, 1], waveform[2400, 0] = -1.0, 0.2
    assert list(waveform_peaks(waveform)) == [255, 0, 51]


def test_names_are_escaped_in_markup(songs, tmp_path):
    odd = "</script><b>&\"'\udcff"
    page = write_page(tmp_path / "listen.html", odd, {odd: songs["a"], "é": songs["b"]})
    text = page.read_text(encoding="utf-8")
    assert "<b>" not in text and "&lt;/script&gt;&lt;b&gt;&amp;" in text
    assert described(page)["rows"] == ["</script><b>&\"'\ufffd", "é"]


def test_page_loads_nothing_from_elsewhere(songs, tmp_path):
    text = write_page(tmp_path / "listen.html", "song", songs).read_text(encoding="utf-8")
    assert not re.search(r"https?://|fetch\(|XMLHttpRequest|@import", text)


def test_source_that_ends_early_is_noted(songs, waveforms, tmp_path):
    songs = {"long": songs["a"], "short": song_of(waveforms[1, :9000])}
    description = described(write_page(tmp_path / "listen.html", "song", songs))
    assert description["notes"] == ["", "ends at 0:01"]
    assert description["regions"] == [[0, 20_000]]


def test_files_above_full_scale_are_played_quieter_together(waveforms, tmp_path):
    songs = {"loud": song_of(20 * waveforms[0]), "soft": song_of(waveforms[1])}
    page = write_page(tmp_path / "listen.html", "song", songs)
    description, scale = described(page), (1 - 2**-15) / np.abs(20 * waveforms[0]).max()
    assert "dB quieter than the files" in page.read_text(encoding="utf-8")
    assert np.abs(sound(page, 1, description) - scale * waveforms[1]).max() <= 2**-15


def test_different_rates_are_an_error_with_a_remedy(songs, waveforms, tmp_path):
    songs["b"] = song_of(waveforms[1], 16_000)
    with pytest.raises(ListeningError, match="a has 8000 Hz and b 16000 Hz: resample all"):
        write_page(tmp_path / "listen.html", "song", songs)


@pytest.mark.parametrize("content", [b"<!DOCTYPE html>mine", b"\xff\xfe"])
def test_page_never_overwrites_a_file_that_is_not_ours(songs, tmp_path, content):
    path = tmp_path / "listen.html"
    write_page(path, "song", songs)
    write_page(path, "song", songs)  # ours is replaced
    path.write_bytes(content)
    with pytest.raises(ListeningError, match="not a page that xscheme wrote"):
        write_page(path, "song", songs)
    assert path.read_bytes() == content

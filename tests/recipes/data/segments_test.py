"""Segments equal the content of the files, however they are read."""

import multiprocessing
import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from asteroid_xscheme.audio import write_audio
from asteroid_xscheme.recipes.data import Augmentation, DataError, find_tracks
from asteroid_xscheme.recipes.data.segments import (
    FileReader,
    MemoryReader,
    read_source,
    read_sources,
)

from .conftest import RATE, SOURCES


@pytest.fixture(params=[FileReader, MemoryReader])
def reader(request):
    return request.param()


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_segment_equals_that_part_of_the_file(tmp_path, make_track, reader, subtype):
    waveforms = make_track(tmp_path / "train" / "x", subtype=subtype)
    (track,) = find_tracks(tmp_path, "train", SOURCES)
    segment = read_sources(reader, track, SOURCES, 100, 50)
    assert segment.dtype == np.float32
    np.testing.assert_array_equal(segment, waveforms[..., 100:150])


def test_gain_and_swap_are_applied(root, reader):
    track = find_tracks(root, "train", SOURCES)[0]
    plain = read_sources(reader, track, ["bass"], 10, 20)[0]
    out = np.empty_like(plain)
    read_source(reader, track, "bass", 10, out, Augmentation(-0.5, swap=True))
    np.testing.assert_allclose(out, -0.5 * plain[::-1], rtol=1e-6)


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_speed_changes_pitch_and_tempo_but_not_the_level(tmp_path, reader, subtype):
    seconds = torch.arange(RATE) / RATE
    tone = 0.5 * torch.sin(2 * torch.pi * 440 * seconds).expand(2, -1)
    (tmp_path / "train" / "x").mkdir(parents=True)
    write_audio(tmp_path / "train" / "x" / "bass.wav", tone, RATE, subtype)
    (track,) = find_tracks(tmp_path, "train", SOURCES)
    out = np.empty((2, 4000), np.float32)
    read_source(reader, track, "bass", 500, out, Augmentation(speed=1.25))
    spectrum = np.abs(np.fft.rfft(out * np.hanning(4000)))
    assert (spectrum.argmax(-1) == 440 * 1.25 * 4000 / RATE).all()
    assert np.abs(out[:, 1000:3000]).max() == pytest.approx(0.5, abs=0.01)


def test_mono_is_the_mean_of_the_channels(root, reader):
    track = find_tracks(root, "train", SOURCES)[0]
    mono = read_sources(reader, track, ["bass"], 0, 30, n_channels=1)
    stereo = read_sources(reader, track, ["bass"], 0, 30)
    np.testing.assert_allclose(mono[0, 0], stereo[0].mean(0), atol=1e-7)


def test_mono_file_is_duplicated(tmp_path, make_track, reader):
    waveforms = make_track(tmp_path / "train" / "x", channels=1)
    (track,) = find_tracks(tmp_path, "train", SOURCES)
    stereo = read_sources(reader, track, SOURCES, 0, 30, n_channels=2)
    np.testing.assert_array_equal(stereo, waveforms[..., :30].expand(-1, 2, -1))


def test_other_numbers_of_channels_are_refused(tmp_path, make_track, reader):
    make_track(tmp_path / "train" / "x", channels=3)
    (track,) = find_tracks(tmp_path, "train", SOURCES)
    with pytest.raises(DataError, match="has 3 channels, but the model has 2"):
        read_sources(reader, track, SOURCES, 0, 30, n_channels=2)


def test_several_files_of_a_source_are_added(tmp_path, make_track, reader):
    waveforms = make_track(tmp_path / "train" / "x", ["guitar", "piano"])
    source_map = {"guitar": "other", "piano": "other"}
    (track,) = find_tracks(tmp_path, "train", SOURCES, source_map=source_map)
    segment = read_sources(reader, track, ["other", "vocals"], 0, 30)
    np.testing.assert_allclose(segment[0], waveforms[..., :30].sum(0), atol=1e-7)
    assert not segment[1].any()


def test_number_of_open_files_is_bounded(root):
    reader = FileReader(most_open=3)
    tracks = find_tracks(root, "train", SOURCES)
    whole = [read_sources(FileReader(), track, SOURCES, 0, 40) for track in tracks]
    for _ in range(2):
        for track, expected in zip(tracks, whole):
            np.testing.assert_array_equal(read_sources(reader, track, SOURCES, 0, 40), expected)
    assert _open_files(root) <= 3
    reader.close()


def _open_files(root):
    links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    targets = [os.readlink(link) for link in links if os.path.lexists(link)]
    return sum(target.startswith(str(root)) for target in targets)


def _read_often(reader, track, results):
    results.put([read_sources(reader, track, ["bass"], k, 100) for k in range(200)])


def test_threads_do_not_move_each_others_files(root):
    reader, track = FileReader(most_open=2), find_tracks(root, "train", SOURCES)[0]
    whole = read_sources(reader, track, SOURCES, 0, 300)

    def read(k):
        return read_sources(reader, track, SOURCES, k, 100)

    with ThreadPoolExecutor(4) as pool:
        for k, segment in enumerate(pool.map(read, range(200))):
            np.testing.assert_array_equal(segment, whole[..., k : k + 100])


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_processes_do_not_share_file_positions(root):
    reader, track = FileReader(), find_tracks(root, "train", SOURCES)[0]
    read_sources(reader, track, ["bass"], 0, 10)  # the file is open before the fork
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    processes = [
        context.Process(target=_read_often, args=(reader, track, results)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    everywhere = [results.get() for _ in processes]
    for process in processes:
        process.join()
    whole = read_sources(reader, track, ["bass"], 0, 300)
    for segments in everywhere:
        for k, segment in enumerate(segments):
            np.testing.assert_array_equal(segment, whole[..., k : k + 100])


def test_readers_are_pickled_without_their_files(root, reader):
    track = find_tracks(root, "train", SOURCES)[0]
    before = read_sources(reader, track, SOURCES, 5, 10)
    text = pickle.dumps(reader)
    assert len(text) < 300
    np.testing.assert_array_equal(read_sources(pickle.loads(text), track, SOURCES, 5, 10), before)


def test_cache_keeps_16_bit_files_in_16_bits(root):
    reader = MemoryReader()
    reader.load(find_tracks(root, "train", SOURCES))
    track = find_tracks(root, "train", SOURCES)[0]
    for path in (path for paths in track.source_files.values() for path in paths):
        assert reader.read(path, 0, 10).dtype == np.int16
        path.unlink()
    read_sources(reader, track, SOURCES, 0, 10)


def test_file_truncated_after_preparation_is_named(root):
    track = find_tracks(root, "train", SOURCES)[0]
    path = track.source_files["bass"][0]
    path.unlink()
    write_audio(path, torch.zeros(2, 100), 8000)
    with pytest.raises(DataError, match="bass.wav ends after 100 of 160.*prepare the data again"):
        read_sources(FileReader(), track, SOURCES, 60, 100)

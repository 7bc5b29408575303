"""Truncated or damaged files, unknown lengths, any names: read correctly or refused in one line."""

import os
import shutil

import numpy as np
import pytest
import soundfile
import torch

from asteroid_xscheme.audio import (
    MP3_BITRATES,
    AudioError,
    AudioReader,
    AudioWriter,
    mp3_bitrates,
    probe_audio,
    read_audio,
    write_audio,
)


def noise(n_channels=2, n_samples=80000):
    return 0.1 * torch.randn(n_channels, n_samples, generator=torch.Generator().manual_seed(0))


def written(path, rate=8000, **shape):
    write_audio(path, noise(**shape), rate)
    return path


def patched(path, *changes):
    """The file with bytes (offset, new) replaced."""
    content = bytearray(path.read_bytes())
    for offset, new in changes:
        content[offset : offset + len(new)] = new
    path.write_bytes(content)
    return path


def cut_in_half(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_truncated_file_is_read_up_to_its_end_and_reported(tmp_path, suffix):
    path = written(tmp_path / f"a.{suffix}")
    whole, _ = read_audio(path)
    assert not probe_audio(path).is_cut
    read, _ = read_audio(cut_in_half(path))
    info = probe_audio(path)
    assert info.is_cut
    assert 20000 < info.n_samples == read.shape[-1] < 60000
    if suffix in ("wav", "flac"):
        assert torch.equal(read, whole[:, : read.shape[-1]])


def test_truncated_wav_promises_the_length_in_its_header(tmp_path):
    with AudioReader(cut_in_half(written(tmp_path / "a.wav"))) as reader:
        assert reader.info.n_samples == 80000


def test_flac_of_unknown_length_is_read(tmp_path):
    path = written(tmp_path / "a.flac")
    whole, _ = read_audio(path)
    patched(path, (21, bytes([path.read_bytes()[21] & 0xF0])), (22, bytes(4)))
    assert torch.equal(read_audio(path)[0], whole)
    assert torch.equal(read_audio(path, 5000, 100)[0], whole[:, 5000:5100])
    assert probe_audio(path).n_samples == 80000


def test_damaged_flac_is_reported_in_one_line(tmp_path):
    path = written(tmp_path / "a.flac")
    patched(path, (path.stat().st_size // 2, bytes(3000)))
    with pytest.raises(AudioError, match=r"a.flac: is damaged after \d+.\d s"):
        read_audio(path)


@pytest.mark.parametrize("size", [b"\xff" * 4, bytes(4)])
def test_wav_with_an_unknown_length_in_its_header_is_read(tmp_path, size):
    path = written(tmp_path / "a.wav")
    patched(path, (4, size), (path.read_bytes().find(b"data") + 4, size))
    info = probe_audio(path)
    assert (info.n_samples, info.is_cut) == (80000, False)
    assert torch.allclose(read_audio(path)[0], noise(), atol=2**-15)


def test_unknown_codec_is_reported_in_one_line(tmp_path):
    path = patched(written(tmp_path / "a.wav"), (20, b"\x99\x77"))
    with pytest.raises(AudioError, match="a.wav: neither libsndfile nor ffmpeg supports its codec"):
        AudioReader(path)


def test_file_without_channels_is_reported_in_one_line(tmp_path):
    path = patched(written(tmp_path / "a.wav"), (22, bytes(2)))
    with pytest.raises(AudioError, match="a.wav: its header says 8000 Hz and 0 channels"):
        AudioReader(path)


@pytest.mark.parametrize("second", [{"n_channels": 2}, {"n_channels": 1, "rate": 16000}])
def test_file_that_changes_its_format_midway_is_reported_in_one_line(tmp_path, second):
    first, second = written(tmp_path / "1.mp3", n_channels=1), written(tmp_path / "2.mp3", **second)
    path = tmp_path / "a.mp3"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    with pytest.raises(AudioError, match="a.mp3: changes at .* s: .*convert it to one format"):
        read_audio(path)


@pytest.mark.skipif(os.name == "nt", reason="names of Windows are Unicode")
@pytest.mark.parametrize("name", [b"caf\xe9", b"12:30", b"a\nb", b"x" * 250, b"%d {} ~"])
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3"])
def test_any_file_name_is_written_and_read(tmp_path, name, suffix):
    path = tmp_path / (os.fsdecode(name) + suffix)
    write_audio(path, noise(2, 4000), 44100)
    assert read_audio(path)[0].shape == (2, 4000)
    assert list(tmp_path.iterdir()) == [path]


def test_relative_path_with_a_colon_is_not_a_url(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_audio("12:30.mp3", noise(2, 4000), 44100)
    assert read_audio("12:30.mp3")[0].shape == (2, 4000)


def test_pipes_and_devices_are_refused_in_one_line(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    with pytest.raises(AudioError, match="a.wav: is a pipe or a device"):
        AudioReader(tmp_path / "a.wav")
    with pytest.raises(AudioError, match="a.wav: is a pipe or a device, expected a file"):
        AudioWriter(tmp_path / "a.wav", 8000, 2)


def test_link_loop_and_overlong_name_are_reported_in_one_line(tmp_path):
    os.symlink("a.wav", tmp_path / "a.wav")
    for path in (tmp_path / "a.wav", tmp_path / ("x" * 300 + ".wav")):
        with pytest.raises(AudioError, match="wav: cannot be read"):
            AudioReader(path)


def test_file_object_reads_like_its_file(tmp_path):
    for name in ("a.wav", "a.flac", "a.ogg", "a.mp3"):
        path = written(tmp_path / name)
        with AudioReader(path.read_bytes()) as reader:
            assert torch.equal(reader.read(90000), read_audio(path)[0])


def mp3_header(path):
    """Version bits (3 is MPEG-1) and bit rate index of the first frame."""
    content = path.read_bytes()
    start = 0
    if content.startswith(b"ID3"):
        start = 10 + sum(byte << shift for byte, shift in zip(content[6:10], (21, 14, 7, 0)))
    return (content[start + 1] >> 3) & 3, content[start + 2] >> 4


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 24000, 32000, 44100])
def test_every_bit_rate_of_mp3_is_written_exactly(tmp_path, rate):
    for bitrate in mp3_bitrates(rate):
        with AudioWriter(tmp_path / "a.mp3", rate, 2, bitrate=bitrate) as writer:
            writer.write(noise(2, 4000))
        version, index = mp3_header(tmp_path / "a.mp3")
        table = mp3_bitrates(44100) if version == 3 else mp3_bitrates(16000)
        assert table[index - 1] == bitrate


def test_invalid_mp3_bit_rates_are_refused(tmp_path):
    for rate, bitrate in ((44100, 100), (44100, 321), (44100, 8), (16000, 320), (8000, 160)):
        with pytest.raises(AudioError, match=f"MP3 of {rate} Hz cannot have {bitrate} kbit/s"):
            AudioWriter(tmp_path / "a.mp3", rate, 2, bitrate=bitrate)
    assert not list(tmp_path.iterdir())
    assert set(MP3_BITRATES) == {b for rate in (8000, 16000, 44100) for b in mp3_bitrates(rate)}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_samples_that_are_not_finite_are_never_written(tmp_path, value, subtype):
    with pytest.raises(AudioError, match="a.wav: cannot write a sample that is not finite"):
        write_audio(tmp_path / "a.wav", torch.tensor([[0.0, value]]), 8000, subtype)
    assert not list(tmp_path.iterdir())


def test_folder_is_never_overwritten(tmp_path):
    (tmp_path / "a.wav").mkdir()
    with pytest.raises(AudioError, match="a.wav: is a folder, expected a file"):
        AudioWriter(tmp_path / "a.wav", 8000, 2)


def test_hidden_files_of_killed_processes_are_removed_and_others_kept(tmp_path):
    living = AudioWriter(tmp_path / "living.wav", 8000, 2)
    shutil.copy(living.hidden, tmp_path / ".xscheme-1-of-the-dead.part")
    write_audio(tmp_path / "new.wav", noise(2, 10), 8000)
    assert {path.name for path in tmp_path.iterdir()} == {living.hidden.name, "new.wav"}
    living.write(noise(2, 10))
    living.close()
    assert soundfile.info(tmp_path / "living.wav").frames == 10
    assert {path.name for path in tmp_path.iterdir()} == {"living.wav", "new.wav"}

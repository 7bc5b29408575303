"""Reading, writing and resampling: exact lengths, aligned samples, no half-written files."""

import importlib.util
import resource
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from asteroid_xscheme.audio import (
    AudioError,
    AudioReader,
    AudioWriter,
    Resampler,
    probe_audio,
    read_audio,
    resample,
    resampled_length,
    write_audio,
)

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="compares with ffmpeg")


def noise(n_channels=2, n_samples=5000, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(n_channels, n_samples, generator=generator)


def stem_track() -> Path:
    package = importlib.util.find_spec("stempeg")
    if package is None:
        pytest.skip("needs the track that the stempeg package ships")
    return next(Path(package.origin).parent.glob("data/*.stem.mp4"))


def decode_with_ffmpeg(path, stream=0, n_channels=2):
    command = ["ffmpeg", "-v", "error", "-i", path, "-map", f"0:a:{stream}", "-f", "f32le", "-"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    return torch.from_numpy(np.frombuffer(raw, np.float32).reshape(-1, n_channels).T.copy())


def encode_with_ffmpeg(source, target, *options):
    command = ["ffmpeg", "-v", "error", "-y", "-i", source, *options, target]
    subprocess.run(command, check=True)
    return target


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_wav_round_trip_of_16_bit_samples_is_exact(tmp_path, subtype):
    steps = torch.randint(-(2**15), 2**15, (2, 1000), generator=torch.Generator().manual_seed(1))
    waveform = steps.float() / 2**15
    write_audio(tmp_path / "a.wav", waveform, 44100, subtype)
    read, rate = read_audio(tmp_path / "a.wav")
    assert rate == 44100
    assert torch.equal(read, waveform)


def test_pcm_clips_at_full_scale_and_never_wraps(tmp_path):
    write_audio(tmp_path / "a.wav", torch.tensor([[-3.0, -1.0, 1.0, 3.0]]), 8000)
    read, _ = read_audio(tmp_path / "a.wav")
    highest = 1 - 2**-15
    assert read.tolist() == [[-1.0, -1.0, highest, highest]]


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.mp3"])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_compressed_files_keep_length_and_alignment(tmp_path, name, n_channels):
    time = torch.arange(30000) / 44100
    waveform = (0.3 * torch.sin(2 * np.pi * 440 * time * (1 + time))).repeat(n_channels, 1)
    write_audio(tmp_path / name, waveform, 44100)
    read, _ = read_audio(tmp_path / name)
    assert read.shape == waveform.shape
    assert (read - waveform).square().sum() < 1e-3 * waveform.square().sum()


def test_mp3_has_the_requested_bit_rate(tmp_path):
    with AudioWriter(tmp_path / "a.mp3", 44100, 2, bitrate=128) as writer:
        writer.write(noise(2, 88200))
    assert (tmp_path / "a.mp3").stat().st_size * 8 / 2 == pytest.approx(128000, rel=0.1)


@pytest.mark.parametrize("name", ["a.wav", "a.mp3"])
def test_reading_in_blocks_equals_reading_at_once(tmp_path, name):
    write_audio(tmp_path / name, noise(2, 20000), 44100)
    whole, _ = read_audio(tmp_path / name)
    blocks = []
    with AudioReader(tmp_path / name) as reader:
        while (block := reader.read(3001)).shape[-1]:
            blocks.append(block)
    assert torch.equal(torch.cat(blocks, -1), whole)
    assert torch.equal(read_audio(tmp_path / name, 7000, 500)[0], whole[:, 7000:7500])
    assert read_audio(tmp_path / name, 30000)[0].shape == (2, 0)


@pytest.mark.parametrize("stream", range(5))
def test_each_stream_of_a_stem_file_has_its_exact_length(stream):
    waveform, rate = read_audio(stem_track(), stream=stream)
    assert (waveform.shape, rate) == ((2, 268288), 44100)
    assert probe_audio(stem_track(), stream).n_samples == 268288


def test_missing_stream_is_an_error():
    with pytest.raises(AudioError, match="has 5 audio stream.s., but no stream 5"):
        AudioReader(stem_track(), stream=5)


@needs_ffmpeg
@pytest.mark.parametrize("stream", [0, 4])
def test_stem_streams_equal_ffmpegs_decoding(stream):
    waveform, _ = read_audio(stem_track(), stream=stream)
    expected = decode_with_ffmpeg(stem_track(), stream)
    assert waveform.shape == expected.shape
    assert torch.allclose(waveform, expected, atol=1e-6)


@needs_ffmpeg
@pytest.mark.parametrize(
    "name, options",
    [
        ("a.mp3", []),
        ("vbr.mp3", ["-q:a", "4", "-write_xing", "0"]),
        ("a.m4a", []),
        ("a.aac", []),
    ],
)
def test_lossy_files_equal_ffmpegs_decoding(tmp_path, name, options):
    write_audio(tmp_path / "a.wav", noise(2, 30000), 44100)
    path = encode_with_ffmpeg(tmp_path / "a.wav", tmp_path / name, *options)
    expected = decode_with_ffmpeg(path)
    waveform, _ = read_audio(path)
    assert waveform.shape == expected.shape
    assert torch.allclose(waveform, expected, atol=1e-4)
    assert probe_audio(path).n_samples == expected.shape[-1]


@needs_ffmpeg
def test_truncated_mp3_is_read_up_to_its_end(tmp_path):
    write_audio(tmp_path / "a.mp3", noise(2, 88200), 44100)
    content = (tmp_path / "a.mp3").read_bytes()
    (tmp_path / "cut.mp3").write_bytes(content[: len(content) // 2])
    n_samples = read_audio(tmp_path / "cut.mp3")[0].shape[-1]
    assert 30000 < n_samples < 60000
    assert probe_audio(tmp_path / "cut.mp3").n_samples == n_samples


def test_eight_bit_and_many_channels_are_read(tmp_path):
    waveform = noise(24, 100)
    soundfile.write(tmp_path / "a.wav", waveform.T.numpy(), 192000, subtype="PCM_U8")
    read, rate = read_audio(tmp_path / "a.wav")
    assert (rate, read.shape) == (192000, (24, 100))
    assert torch.allclose(read, waveform, atol=1 / 64)


@pytest.mark.parametrize(
    "content, message",
    [(None, "no such file"), (b"", "is empty"), (b"hello, this is text", "not an audio file")],
)
def test_unreadable_files_are_named_in_one_line(tmp_path, content, message):
    path = tmp_path / "bad file é.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AudioError, match=message) as caught:
        read_audio(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_folder_is_not_a_file(tmp_path):
    with pytest.raises(AudioError, match="is a folder"):
        read_audio(tmp_path)


def test_truncated_mp4_promises_more_than_it_contains(tmp_path):
    (tmp_path / "cut.mp4").write_bytes(stem_track().read_bytes()[:300000])
    with AudioReader(tmp_path / "cut.mp4") as reader:
        assert reader.info.n_samples == 268288
        assert 10000 < reader.skip(268288) < 200000


def test_file_damaged_in_the_middle_is_named(tmp_path):
    write_audio(tmp_path / "a.mp3", noise(2, 88200), 44100)
    content = bytearray((tmp_path / "a.mp3").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = bytes(3000)
    (tmp_path / "a.mp3").write_bytes(content)
    with pytest.raises(AudioError, match=r"a.mp3: is damaged at \d\.\d s"):
        read_audio(tmp_path / "a.mp3")


def test_failed_write_leaves_only_the_old_file(tmp_path):
    write_audio(tmp_path / "a.wav", noise(1, 10), 44100, "FLOAT")
    with pytest.raises(KeyboardInterrupt):
        with AudioWriter(tmp_path / "a.wav", 44100, 1) as writer:
            writer.write(noise(1, 1000))
            raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
    assert torch.equal(read_audio(tmp_path / "a.wav")[0], noise(1, 10))


def test_full_disk_is_an_error_and_leaves_nothing(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50000, limits[1]))
    try:
        with pytest.raises(AudioError, match="a.wav: cannot be written; is the disk full?"):
            write_audio(tmp_path / "a.wav", torch.ones(2, 100000), 44100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


def test_missing_target_folder_is_an_error(tmp_path):
    with pytest.raises(AudioError, match="a.wav: cannot be written"):
        write_audio(tmp_path / "none" / "a.wav", noise(), 44100)


@pytest.mark.parametrize(
    "name, subtype, message",
    [
        ("a.xyz", "PCM_16", "its name must end in one of"),
        ("a.wav", "PCM_8", "expected a subtype"),
        ("a.flac", "FLOAT", "FLAC can only hold integers"),
    ],
)
def test_unknown_formats_are_refused(tmp_path, name, subtype, message):
    with pytest.raises(AudioError, match=message):
        write_audio(tmp_path / name, noise(), 44100, subtype)


def test_format_that_cannot_hold_the_channels_says_so(tmp_path):
    with pytest.raises(AudioError, match="MP3 cannot hold 6 channels"):
        write_audio(tmp_path / "a.mp3", noise(6), 44100)
    assert not list(tmp_path.iterdir())


def test_block_with_another_number_of_channels_is_refused(tmp_path):
    with pytest.raises(ValueError, match="Expected 2 channels, got 1"):
        with AudioWriter(tmp_path / "a.wav", 44100, 2) as writer:
            writer.write(noise(1))


def test_huge_wav_is_written_as_rf64(tmp_path):
    with AudioWriter(tmp_path / "a.wav", 44100, 2, n_samples=2**31) as writer:
        writer.write(noise())
    assert soundfile.info(tmp_path / "a.wav").format == "RF64"
    assert read_audio(tmp_path / "a.wav")[0].shape == (2, 5000)


@pytest.mark.parametrize("rates", [(48000, 44100), (44100, 48000), (192000, 44100), (8000, 44100)])
@pytest.mark.parametrize("n_samples", [0, 1, 999, 20000])
def test_resampling_there_and_back_has_the_exact_length(rates, n_samples):
    waveform = noise(2, n_samples)
    there = resample(waveform, *rates)
    assert there.shape[-1] == resampled_length(n_samples, *rates)
    back = resample(there, *reversed(rates))
    assert back.shape[-1] >= n_samples


def test_resampling_blocks_equals_resampling_the_whole():
    waveform = noise(2, 20000)
    resampler = Resampler(44100, 48000, 2)
    blocks = [resampler.push(block) for block in waveform.split(1237, dim=-1)]
    blocks.append(resampler.push(waveform[:, :0], last=True))
    assert torch.allclose(torch.cat(blocks, -1), resample(waveform, 44100, 48000), atol=1e-6)


def test_resampling_keeps_a_tone_aligned():
    def tone(rate):
        time = torch.arange(rate // 2, dtype=torch.float64) / rate
        return torch.sin(2 * np.pi * 1000 * time)[None].float()

    inner = slice(2000, 18000)
    assert torch.allclose(
        resample(tone(48000), 48000, 44100)[:, inner], tone(44100)[:, inner], atol=1e-4
    )


def test_equal_rates_pass_unchanged():
    assert torch.equal(resample(noise(), 44100, 44100), noise())


def test_rates_must_be_positive_integers():
    with pytest.raises(ValueError, match="whole Hz"):
        Resampler(0, 44100, 2)

"""Which files of a user's are songs, of any format, and that all others are named or refused."""

import os
import zipfile

import numpy as np
import pytest
import soundfile
import torch

from asteroid_xscheme.audio import read_audio
from xscheme import main

from .conftest import RATE


def prepare(source, root):
    options = ["--dataset", "folder", "--sample_rate", str(RATE), "-q"]
    return main(["data", "prepare", *options, "--source_dir", str(source), "--root", str(root)])


def tone(path, n_samples=RATE, subtype="PCM_16", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    waveform = 0.1 * np.sin(np.arange(n_samples) / 9.0)
    soundfile.write(path, waveform, RATE, subtype=subtype, **options)
    return path


@pytest.fixture
def mine(tmp_path):
    tone(tmp_path / "mine" / "train" / "x" / "voc.wav")
    return tmp_path / "mine"


@pytest.mark.parametrize(
    "name, container",
    [("a.WAV", "WAV"), ("a.caf", "CAF"), ("a.w64", "W64"), ("a.aifc", "AIFF"), ("a.au", "AU")],
)
def test_formats_that_libsndfile_reads_are_read(mine, tmp_path, name, container):
    tone(mine / "train" / "x" / name, format=container)
    assert prepare(mine, tmp_path / "p") == 0
    decoded, _ = read_audio(tmp_path / "p" / "train" / "x" / "a.wav")
    torch.testing.assert_close(decoded, read_audio(mine / "train" / "x" / "voc.wav")[0])


@pytest.mark.parametrize(
    "suffix, codec", [("mka", "pcm_s16le"), ("webm", "libopus"), ("mp4", "aac")]
)
def test_formats_that_ffmpeg_reads_are_read(mine, tmp_path, suffix, codec):
    av = pytest.importorskip("av")
    with av.open(str(mine / "train" / "x" / f"a.{suffix}"), "w") as container:
        stream = container.add_stream(codec, rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48000), np.int16), "s16", "mono")
        frame.rate = 48000
        resampler = av.AudioResampler(stream.format, stream.layout, 48000, stream.frame_size)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    assert prepare(mine, tmp_path / "p") == 0
    assert (tmp_path / "p" / "train" / "x" / "a.wav").is_file()


def test_links_to_folders_are_followed_but_not_in_loops(mine, tmp_path, caplog):
    tone(tmp_path / "elsewhere" / "voc.wav")
    (mine / "train" / "linked").symlink_to(tmp_path / "elsewhere")
    (mine / "train" / "loop").symlink_to(mine)
    assert prepare(mine, tmp_path / "p") == 0
    assert sorted(os.listdir(tmp_path / "p" / "train")) == ["linked", "x"]
    assert "train/loop/: a link to one of its parent folders" in caplog.text


def test_mixture_is_recognised_in_any_letter_case(mine, tmp_path, capsys):
    tone(mine / "train" / "x" / "Mixture.wav")
    assert prepare(mine, tmp_path / "p") == 0
    assert "1 tracks with the sources voc\n" in capsys.readouterr().out


def test_everything_left_out_is_named(mine, tmp_path, caplog):
    (mine / "train" / "x" / "cover.jpg").touch()
    tone(mine / "valid" / "y" / "voc.wav")
    tone(mine / "train" / "loose.wav")
    tone(mine / "train" / "x" / "takes" / "voc.wav")
    (mine / "train" / "x" / "song.stem.mp4").touch()
    (mine / "train" / "x" / ".DS_Store").touch()
    assert prepare(mine, tmp_path / "p") == 0
    assert sorted(caplog.messages[0].splitlines()[1:]) == [
        "  train/loose.wav: not in a song's folder",
        "  train/x/cover.jpg: not an audio format that libsndfile or ffmpeg reads",
        "  train/x/song.stem.mp4: several stems in one file; use --dataset musdb18 for such files",
        "  train/x/takes/voc.wav: not {train,test}/TRACK/SOURCE.wav (or flac, mp3, ...), or "
        "TRACK/SOURCE.wav",
        "  valid/y/voc.wav: not in train/ or test/; put validation songs into train/ and name them "
        "with --valid_tracks",
    ]


def test_broken_files_are_refused_and_the_other_songs_are_prepared(mine, tmp_path, capsys):
    soundfile.write(mine / "train" / "x" / "nan.wav", np.full(9, np.nan), RATE, subtype="FLOAT")
    flac = tone(mine / "train" / "flac" / "voc.flac", n_samples=10 * RATE)
    flac.write_bytes(flac.read_bytes()[: flac.stat().st_size // 2])
    tone(mine / "train" / "empty" / "voc.wav", n_samples=0)
    cut = tone(mine / "train" / "cut" / "voc.wav")
    cut.write_bytes(cut.read_bytes()[:9000])
    tone(mine / "train" / "two" / "voc.wav")
    tone(mine / "train" / "two" / "voc.flac")
    tone(mine / "train" / "text" / "voc.wav").write_text("not a sound")
    (mine / "train" / "link").mkdir()
    (mine / "train" / "link" / "voc.wav").symlink_to("nowhere.wav")
    tone(mine / "train" / "good" / "voc.wav")
    assert prepare(mine, tmp_path / "p") == 1
    message = capsys.readouterr().err
    for line in (
        "7 of 8 songs could not be prepared",
        "voc.wav is truncated",
        "train/flac: ",
        "voc.wav contains no samples",
        "nan.wav has samples that are NaN or infinite, the first at 0.00 s",
        "voc.flac and train/two/voc.wav are the same source, voc",
        "voc.wav: not an audio file",
        "voc.wav cannot be read: it is a broken link or a device",
    ):
        assert line in message
    assert os.listdir(tmp_path / "p" / "train") == ["good"]


def test_file_that_ends_early_is_padded_and_reported(mine, tmp_path, caplog):
    tone(mine / "train" / "x" / "short.wav", n_samples=RATE // 4)
    assert prepare(mine, tmp_path / "p") == 0
    assert "train/x: short ends 0.75 s before the longest file" in caplog.text


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize("packed", [False, True])
def test_names_that_windows_does_not_allow_are_supported(tmp_path, packed):
    names = ["AC:DC - What?", "Re: Stacks", "aux", 'a"b<c>|*']
    for name in names:
        tone(tmp_path / "mine" / name / "vo:c.wav")
    if packed:
        with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
            for file in (tmp_path / "mine").rglob("*.wav"):
                archive.write(file, file.relative_to(tmp_path / "mine"))
    assert prepare(tmp_path / ("mine.zip" if packed else "mine"), tmp_path / "p") == 0
    assert sorted(os.listdir(tmp_path / "p" / "train")) == sorted(names)
    assert (tmp_path / "p" / "train" / names[0] / "vo:c.wav").is_file()


def test_zip_with_a_password_is_reported(mine, tmp_path, capsys):
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        archive.write(mine / "train" / "x" / "voc.wav", "x/voc.wav")
    content = (tmp_path / "mine.zip").read_bytes()
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # its flag of encryption
        at = content.index(signature) + offset
        content = content[:at] + b"\x01" + content[at + 1 :]
    (tmp_path / "mine.zip").write_bytes(content)
    assert prepare(tmp_path / "mine.zip", tmp_path / "p") == 1
    assert "x/voc.wav cannot be unpacked" in capsys.readouterr().err

"""Verification names what is wrong with a folder, with a remedy, and nothing else."""

import pytest
import soundfile
import torch

from asteroid_xscheme.audio import read_audio, write_audio
from asteroid_xscheme.recipes.identity import write_record
from asteroid_xscheme.recipes.data import residual, soundness, verify

from .conftest import RATE, SOURCES


def problems_of(root, **options):
    return verify(root, SOURCES, RATE, progress=False, **options)


def one_problem(root, **options):
    problems = problems_of(root, **options)
    assert len(problems) == 1, problems
    return problems[0]


def replace(path, waveform, rate=RATE):
    path.unlink()
    soundfile.write(path, waveform.T.numpy(), rate, subtype="FLOAT")  # also what is no number


def test_intact_folder_has_no_problems(root):
    assert problems_of(root) == []


def test_missing_file_is_named(root):
    (root / "train" / "c" / "drums.wav").unlink()
    problems = problems_of(root)
    assert problems[0].startswith("train/c: lacks drums.wav; delete the track's folder and prepare")


def test_own_tracks_may_lack_some_sources_but_not_all(root, make_track):
    make_track(root / "train" / "x", ["drums", "bass"])
    make_track(root / "train" / "y", ["violin"])
    assert one_problem(root, dataset="folder").startswith(
        "train/y: has none of bass, drums, vocals, other; map its files in source_map"
    )


def test_wrong_rate_is_named(root):
    waveform, _ = read_audio(root / "test" / "t" / "bass.wav")
    replace(root / "test" / "t" / "bass.wav", waveform, 16000)
    assert "test/t: bass has a sample rate of 16000 Hz, expected 8000 Hz; prepare" in one_problem(
        root
    )


def test_unequal_lengths_and_channels_are_named(root):
    replace(root / "train" / "b" / "bass.wav", torch.zeros(2, 500))
    assert "train/b: files differ in length: bass 500, drums 8000" in one_problem(root)
    replace(root / "train" / "b" / "bass.wav", torch.zeros(1, RATE))
    assert "train/b: files differ in number of channels: bass 1, drums 2" in one_problem(root)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_samples_that_are_not_finite_are_named(root, value):
    waveform, _ = read_audio(root / "train" / "a" / "other.wav")
    waveform[1, 4000] = value
    replace(root / "train" / "a" / "other.wav", waveform)
    assert "other.wav has samples that are NaN or infinite, the first at 0.50 s" in one_problem(
        root
    )


def test_mixture_may_differ_from_the_sum_as_much_as_in_real_stems(root):
    mixture, _ = read_audio(root / "train" / "d" / "mixture.wav")
    noise = torch.randn_like(mixture) * mixture.std()
    replace(root / "train" / "d" / "mixture.wav", mixture + noise * 10 ** (-22.6 / 20))
    assert problems_of(root) == []
    replace(root / "train" / "d" / "mixture.wav", mixture + noise * 10 ** (-17 / 20))
    assert "train/d: the mixture and the sum of the sources differ by -17." in one_problem(root)


@pytest.fixture
def minute(tmp_path):
    """An intact track of one minute."""
    generator = torch.Generator().manual_seed(0)
    sources = 0.05 * torch.randn(4, 2, 60 * RATE, generator=generator)
    folder = tmp_path / "minute" / "train" / "x"
    folder.mkdir(parents=True)
    for name, waveform in zip([*SOURCES, "mixture"], [*sources, sources.sum(0)]):
        write_audio(folder / f"{name}.wav", waveform, RATE)
    return folder


def test_source_with_a_missing_part_is_named(minute):
    waveform, _ = read_audio(minute / "drums.wav")
    waveform[:, 40 * RATE :] = 0
    replace(minute / "drums.wav", waveform)
    problem = one_problem(minute.parents[1])
    assert "train/x: the mixture and the sum of the sources differ by more than -12.0 dB" in problem
    assert "from 40.0 to 60.0 s" in problem


def test_one_second_burst_is_not_reported(minute):
    waveform, _ = read_audio(minute / "drums.wav")
    waveform[:, -RATE:] += 0.2
    replace(minute / "drums.wav", waveform)
    assert problems_of(minute.parents[1]) == []


def test_files_that_end_before_their_headers_say_are_named(minute):
    for path in minute.iterdir():
        path.write_bytes(path.read_bytes()[:100_000])  # all alike: of equal length
    problems = problems_of(minute.parents[1])
    assert len(problems) == 5 and all("is truncated" in problem for problem in problems)


def test_files_without_samples_are_named(minute):
    for path in minute.iterdir():
        write_audio(path, torch.zeros(2, 0), RATE)
    problems = problems_of(minute.parents[1])
    assert len(problems) == 5 and all("contains no samples" in problem for problem in problems)


def test_files_that_training_cannot_read_are_named(root):
    (root / "train" / "a" / "bass.wav").rename(root / "train" / "a" / "bass.flac")
    lacks, unread, _ = problems_of(root)
    assert lacks.startswith("train/a: lacks bass.wav")
    expected = "train/a: training does not read bass.flac; to convert such files, prepare the data"
    assert unread == f"{expected} with --dataset folder."


def test_prepared_file_that_disappeared_is_named(root):
    write_record(root / "train" / "a", {"files": ["violin.wav"]})
    assert "train/a: lacks violin.wav" in one_problem(root, dataset="folder")


def test_silent_mixture_is_named_only_if_its_sources_are_audible(root, make_track):
    replace(root / "train" / "d" / "mixture.wav", torch.zeros(2, RATE))
    assert "differ by inf dB" in one_problem(root)
    for name in SOURCES:
        replace(root / "train" / "d" / f"{name}.wav", torch.zeros(2, RATE))
    assert problems_of(root) == []


def test_track_shorter_than_the_segment_is_named(root, make_track):
    make_track(root / "train" / "jingle", n_samples=4000)
    assert problems_of(root) == []
    expected = "train/jingle: 0.50 s is shorter than a segment of 0.6 s"
    assert one_problem(root, seq_dur=0.6).startswith(expected)


def test_file_that_is_not_audio_is_named(root):
    (root / "train" / "a" / "bass.wav").write_bytes(b"nothing of the kind")
    assert "bass.wav: not an audio file" in one_problem(root)


def test_folder_at_the_wrong_level_is_named(root):
    assert "one level too high: did you mean" in one_problem(root.parent)


def test_incomplete_official_set_is_named(root):
    problems = problems_of(root, dataset="musdb18hq")
    assert "has 6 tracks, but the official set has 100. Prepare the data again" in problems[0]
    assert "lacks validation tracks: ANiMAL - Rockshow" in problems[1]
    assert "has 1 tracks, but the official set has 50" in problems[2]
    assert len(problems) == 3


def test_verification_knows_which_data_set_was_prepared(root):
    (root / "prepared.json").write_text('{"dataset": "musdb18", "sample_rate": 8000}')
    assert len(problems_of(root)) == 3


def test_long_files_are_read_in_blocks(root, monkeypatch):
    monkeypatch.setattr(residual, "_BLOCK_SECONDS", 0.1)
    monkeypatch.setattr(soundness, "_BLOCK", 999)
    assert problems_of(root) == []
    waveform, _ = read_audio(root / "train" / "a" / "other.wav")
    waveform[0, -1] = float("nan")
    replace(root / "train" / "a" / "other.wav", waveform)
    assert "NaN" in one_problem(root)

"""Stems of a song: which there are, that they add up, and that files are whole or absent."""

from pathlib import Path

import pytest
import torch

from asteroid_xscheme.audio import AudioError, read_audio
from asteroid_xscheme.separation import SeparationError, song_of_waveform
from asteroid_xscheme.separation.stem_files import StemFiles, StemFormat
from asteroid_xscheme.separation.stems import choose_stems, mix_stems, stem_paths

SOURCES = ["bass", "drums", "vocals"]


def sources_and_song():
    generator = torch.Generator().manual_seed(0)
    sources = torch.randn(3, 2, 1000, generator=generator)
    return sources, song_of_waveform(sources.sum(0) + 1, 100)


def mixed(**choice):
    sources, song = sources_and_song()
    stems = choose_stems(SOURCES, **choice)
    blocks = list(mix_stems(iter(sources.split(300, -1)), stems, song))
    return {stem.name: x for stem, x in zip(stems, torch.cat(blocks, -1))}


def test_all_sources_are_the_default():
    sources, _ = sources_and_song()
    stems = mixed()
    assert list(stems) == SOURCES
    assert torch.allclose(torch.stack(list(stems.values())), sources)


def test_targets_keep_the_requested_order():
    sources, _ = sources_and_song()
    stems = mixed(targets=["vocals", "bass"])
    assert list(stems) == ["vocals", "bass"]
    assert torch.allclose(stems["vocals"], sources[2])


def test_two_stems_are_a_source_and_the_sum_of_the_others():
    sources, _ = sources_and_song()
    stems = mixed(two_stems="drums")
    assert list(stems) == ["drums", "no_drums"]
    assert torch.allclose(stems["no_drums"], sources[0] + sources[2], atol=1e-6)


@pytest.mark.parametrize("choice", [{}, {"targets": ["vocals"]}, {"two_stems": "bass"}])
def test_with_a_residual_the_stems_sum_to_the_mixture(choice):
    sources, _ = sources_and_song()
    stems = mixed(residual="rest", **choice)
    assert torch.allclose(sum(stems.values()), sources.sum(0) + 1, atol=1e-5)


@pytest.mark.parametrize(
    "choice, message",
    [
        ({"targets": ["guitar"]}, "no source guitar; it has"),
        ({"two_stems": "guitar"}, "no source"),
        ({"residual": "bass"}, "would have the same name"),
        ({"targets": ["bass"], "two_stems": "bass"}, "not both"),
        ({"residual": ""}, "residual name that works as a file name"),
        ({"residual": "a/b"}, "residual name that works as a file name"),
        ({"residual": ".."}, "residual name that works as a file name"),
    ],
)
def test_impossible_stems_are_refused(choice, message):
    with pytest.raises(SeparationError, match=message):
        choose_stems(SOURCES, **choice)


def written(folder, waveforms, **form):
    """Write stems, read them again."""
    song = song_of_waveform(waveforms[0], 44100)
    form = StemFormat(**form)
    paths = [folder / "new" / f"{k}{form.suffix}" for k in range(len(waveforms))]
    with StemFiles(paths, song, form) as files:
        for block in waveforms.split(400, -1):
            files.write(block)
    left = sorted(path.name for path in (folder / "new").iterdir())
    assert left == [path.name for path in paths]
    return torch.stack([read_audio(path)[0] for path in paths]), files.gain


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_one_gain_brings_all_stems_below_full_scale(tmp_path, suffix):
    loud, soft = 1.6 * torch.ones(1, 1000), 0.4 * torch.ones(1, 1000)
    stems, gain = written(tmp_path, torch.stack([loud, soft]), suffix=suffix)
    assert gain == pytest.approx(1 / 1.6, rel=1e-3)
    assert torch.allclose(stems[0], torch.ones(()), atol=1e-4)
    assert torch.allclose(stems[1], torch.tensor(0.25), atol=1e-4)


def test_stems_below_full_scale_keep_their_level(tmp_path):
    waveforms = 0.5 * torch.ones(2, 1, 1000)
    stems, gain = written(tmp_path, waveforms)
    assert gain == 1
    assert torch.equal(stems, waveforms)


def test_float_stems_are_never_scaled(tmp_path):
    waveforms = 1.6 * torch.ones(2, 1, 1000)
    stems, gain = written(tmp_path, waveforms, subtype="FLOAT")
    assert gain == 1
    assert torch.equal(stems, waveforms)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_clamped_stems_stop_at_full_scale(tmp_path, subtype):
    waveforms = torch.stack([1.6 * torch.ones(1, 1000), 0.25 * torch.ones(1, 1000)])
    stems, _ = written(tmp_path, waveforms, subtype=subtype, clip_mode="clamp")
    assert stems[0].max() <= 1
    assert torch.equal(stems[1], waveforms[1])


def test_silent_stems_are_written(tmp_path):
    stems, gain = written(tmp_path, torch.zeros(2, 1, 1000))
    assert gain == 1
    assert stems.abs().max() == 0


@pytest.mark.parametrize("form", [{}, {"subtype": "FLOAT"}, {"clip_mode": "none"}])
def test_interruption_leaves_no_file_and_no_folder(tmp_path, form):
    song = song_of_waveform(torch.zeros(1, 1000), 44100)
    paths = [tmp_path / "a" / "b" / f"{k}.wav" for k in range(2)]
    with pytest.raises(KeyboardInterrupt):
        with StemFiles(paths, song, StemFormat(**form)) as files:
            files.write(torch.zeros(2, 1, 500))
            raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_format_that_cannot_hold_the_song_is_refused_before_the_work(tmp_path):
    song = song_of_waveform(torch.zeros(24, 1000), 44100)
    with pytest.raises(AudioError, match="MP3 cannot hold 24 channels"):
        with StemFiles([tmp_path / "new" / "a.mp3"], song, StemFormat(".mp3")):
            raise AssertionError("not reached")
    assert not list(tmp_path.iterdir())


def test_unknown_clip_mode_is_refused(tmp_path):
    song = song_of_waveform(torch.zeros(1, 10), 44100)
    with pytest.raises(SeparationError, match="Expected a clip mode"):
        StemFiles([tmp_path / "a.wav"], song, StemFormat(clip_mode="hard"))


def test_paths_follow_the_pattern():
    stems = choose_stems(SOURCES, targets=["bass"])
    pattern = "{track}-{trackext}/{stem}.{ext}"
    paths = stem_paths(pattern, Path("out"), "my song", "mp3", stems, "wav")
    assert paths == {"bass": Path("out/my song-mp3/bass.wav")}


@pytest.mark.parametrize(
    "pattern, message",
    [
        ("{title}.wav", "only the fields {track}, {trackext}, {stem}, {ext}, got 'title'"),
        ("{", "Cannot use the filename"),
        ("{stem.x}.wav", "Cannot use the filename"),
        ("{stem[0]}.wav", "Cannot use the filename"),
        ("{stem!r}.wav", "Cannot use the filename"),
        ("{stem:>999}.wav", "Cannot use the filename"),
        ("../{stem}.wav", "outside the output folder"),
        ("/tmp/{stem}.wav", "outside the output folder"),
        ("{track}.wav", "gives several stems the same file"),
    ],
)
def test_invalid_patterns_are_refused(pattern, message):
    with pytest.raises(SeparationError, match=message):
        stem_paths(pattern, Path("out"), "song", "mp3", choose_stems(SOURCES), "wav")

"""The tracks of a folder, and the error messages for folders without tracks."""

import pytest

from asteroid_xscheme.recipes.data import DataError, find_tracks

from .conftest import RATE, SOURCES


def test_tracks_are_sorted_and_have_their_lengths_and_rates(root):
    tracks = find_tracks(root, "train", SOURCES, RATE)
    assert [track.name for track in tracks] == list("abcdef")
    first = tracks[0]
    assert (first.sample_rate, first.n_channels, first.n_samples) == (RATE, 2, RATE)
    assert first.mixture_file == root / "train" / "a" / "mixture.wav"
    assert list(first.source_files) == SOURCES


def test_names_may_contain_dots(root, make_track):
    make_track(root / "train" / "M.E.R.C. Music - Knockout")
    assert "M.E.R.C. Music - Knockout" in [t.name for t in find_tracks(root, "train", SOURCES)]


def test_unfinished_folders_are_ignored(root, make_track):
    make_track(root / "train" / ".g.part")
    assert len(find_tracks(root, "train", SOURCES)) == 6


def test_files_of_other_sources_are_ignored(root):
    tracks = find_tracks(root, "train", ["vocals"])
    assert all(list(track.source_files) == ["vocals"] for track in tracks)


def test_length_of_a_track_is_that_of_its_shortest_file(root, make_track):
    make_track(root / "train" / "g", ["bass"], n_samples=500, mixture=False)
    make_track(root / "train" / "g2", ["drums"], n_samples=300, mixture=False)
    (root / "train" / "g2" / "drums.wav").rename(root / "train" / "g" / "drums.wav")
    assert find_tracks(root, "train", SOURCES)[-1].n_samples == 300


def test_several_files_may_form_one_source(tmp_path, make_track):
    make_track(tmp_path / "train" / "x", ["guitar", "piano", "kit", "noise", "vocals"])
    source_map = {"guitar": "other", "piano": "other", "kit": "drums", "noise": None}
    (track,) = find_tracks(tmp_path, "train", SOURCES, source_map=source_map)
    names = {s: [p.name for p in paths] for s, paths in track.source_files.items()}
    assert names == {
        "drums": ["kit.wav"],
        "vocals": ["vocals.wav"],
        "other": ["guitar.wav", "piano.wav"],
    }


def test_source_map_that_names_a_missing_file_is_refused(root):
    with pytest.raises(DataError, match="names piano, but no track.*their files are bass, drums"):
        find_tracks(root, "train", SOURCES, source_map={"piano": "other"})


def test_source_map_that_omits_a_file_is_refused(root):
    with pytest.raises(DataError, match="does not say what bass, other should be"):
        find_tracks(root, "train", ["vocals", "drums"], source_map={"vocals": "vocals"})


def test_wrong_rate_is_an_error_with_both_remedies(root):
    with pytest.raises(DataError, match="8000 Hz, expected 44100.*prepare.*or train with"):
        find_tracks(root, "train", SOURCES, 44100)


def test_tracks_without_any_source_are_an_error_that_lists_their_files(root):
    with pytest.raises(DataError, match="Its files are bass, drums, other, vocals"):
        find_tracks(root, "train", ["violin"])


@pytest.mark.parametrize(
    "path, subset, remedy",
    [
        ("missing", "train", "There is no folder .*prepare it"),
        (".", "train", "one level too high: did you mean .*songs"),
        ("songs/train", "train", "one level too low: did you mean .*songs"),
        ("songs/train/a", "test", "Expected .*TRACK/SOURCE.wav"),
    ],
)
def test_folder_at_the_wrong_level_is_an_error_that_names_the_right_one(root, path, subset, remedy):
    with pytest.raises(DataError, match=f"No tracks in .*{remedy}"):
        find_tracks(root.parent / path, subset, SOURCES)


def test_folder_of_compressed_stems_is_an_error_that_suggests_preparing_it(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "song.stem.mp4").touch()
    with pytest.raises(DataError, match="compressed stems: decode them"):
        find_tracks(tmp_path, "train", SOURCES)

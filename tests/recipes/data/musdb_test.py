"""Constants equal those of the musdb package, which can read prepared folders."""

import importlib.util
import inspect
import shutil
import sys

import numpy as np
import pytest

from asteroid_xscheme.recipes.config import DataConfig
from asteroid_xscheme.recipes.data import (
    DataError,
    MusicDataModule,
    configured_tracks,
    prepare,
    validation_tracks,
)
from asteroid_xscheme.recipes.data.musdb import SUBSETS, stem_streams
from asteroid_xscheme.recipes.data.segments import FileReader, read_sources

from .conftest import RATE, SOURCES

needs_musdb = pytest.mark.skipif(
    importlib.util.find_spec("musdb") is None or shutil.which("ffprobe") is None,
    reason="musdb or ffmpeg is not installed",
)


@needs_musdb
def test_constants_equal_those_of_musdb():
    import musdb

    parameters = inspect.signature(musdb.DB).parameters
    assert list(SUBSETS) == parameters["subsets"].default
    assert len(validation_tracks()) == 14
    assert stem_streams() == ("mixture", "drums", "bass", "other", "vocals")


def test_missing_musdb_says_what_to_install(monkeypatch):
    from asteroid_xscheme.recipes.data import musdb

    musdb._official.cache_clear()
    monkeypatch.setitem(sys.modules, "musdb", None)
    with pytest.raises(DataError, match="pip install musdb"):
        validation_tracks()


@needs_musdb
@pytest.mark.parametrize("dataset", ["musdb18hq", "folder"])
def test_musdb_and_our_loader_read_the_same_from_a_prepared_folder(
    root, tmp_path, make_track, dataset
):
    import musdb

    for name in validation_tracks()[:2]:
        make_track(root / "train" / name, n_samples=4000)
    options = dict(source_dir=str(root), train_dir=[str(tmp_path / "p")], sources=SOURCES)
    config = DataConfig(dataset=dataset, sample_rate=RATE, seq_dur=0.25, **options)
    prepared = prepare(config, tmp_path / "p", progress=False)
    (prepared / ".preparing" / "killed").mkdir(parents=True)
    with pytest.warns(UserWarning, match="official validation tracks are missing"):
        module = MusicDataModule(config, batch_size=1)
    ours = {
        "train": module.train_tracks,
        "valid": module.valid_tracks,
        "test": configured_tracks(config, "test"),
    }
    theirs = {
        "train": musdb.DB(root=str(prepared), is_wav=True, subsets="train", split="train"),
        "valid": musdb.DB(root=str(prepared), is_wav=True, subsets="train", split="valid"),
        "test": musdb.DB(root=str(prepared), is_wav=True, subsets="test"),
    }
    for part, tracks in ours.items():
        assert [track.name for track in tracks] == [track.name for track in theirs[part]]
    track, their_track = ours["valid"][0], theirs["valid"][0]
    sources = read_sources(FileReader(), track, SOURCES, 0, track.n_samples)
    for name, source in zip(SOURCES, sources):
        np.testing.assert_array_equal(their_track.targets[name].audio.T, source)

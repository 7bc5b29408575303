"""Loaders: which examples each process gets, for any number of processes and workers."""

import pickle
import shutil
import threading

import pytest
import soundfile
import torch

from asteroid_xscheme.recipes.data import DataError, MusicDataModule, dataset_infos
from asteroid_xscheme.recipes.data.loader import BatchLoader
from asteroid_xscheme.recipes.data.module import ExampleSampler
from asteroid_xscheme.recipes.data.musdb import validation_tracks

from .conftest import RATE, SOURCES


@pytest.fixture
def make_module(make_config):
    def make(batch_size=4, val_dur=0.3, nb_channels=2, **options):
        return MusicDataModule(make_config(**options), batch_size, val_dur, nb_channels)

    return make


def epoch_of(loader, epoch):
    loader.sampler.set_epoch(epoch)
    return list(loader)


def equal(batches, others):
    return len(batches) == len(others) and all(
        torch.equal(a, b) for batch, other in zip(batches, others) for a, b in zip(batch, other)
    )


def test_validation_tracks_are_not_trained_on(make_module):
    module = make_module()
    assert [track.name for track in module.train_tracks] == list("acdf")
    assert [track.name for track in module.valid_tracks] == list("be")


def test_batches_have_their_documented_shapes_and_an_incomplete_one_is_dropped(make_module):
    batches = list(make_module(batch_size=6).train_dataloader())
    assert len(batches) == 4 * 5 // 6
    mixture, sources = batches[0]
    assert mixture.shape == (6, 2, RATE // 4) and sources.shape == (6, 4, 2, RATE // 4)


def test_same_seed_repeats_an_epoch_and_epochs_differ(make_module):
    one, two = (make_module().train_dataloader() for _ in range(2))
    first = epoch_of(one, 0)
    assert equal(first, epoch_of(two, 0))
    assert not equal(first, epoch_of(one, 1))
    assert equal(epoch_of(two, 1), epoch_of(one, 1))
    assert not equal(first, epoch_of(make_module(seed=1).train_dataloader(), 0))


@pytest.mark.parametrize("num_workers", (1, 2, 5))
def test_number_of_workers_does_not_change_examples(make_module, num_workers):
    alone, helped = (make_module(num_workers=n).train_dataloader() for n in (0, num_workers))
    assert len(alone) == len(helped) == 5
    for epoch in (0, 1):
        assert equal(epoch_of(alone, epoch), epoch_of(helped, epoch))


def test_workers_load_two_batches_ahead_each_and_stop_with_their_epoch():
    loaded = []

    class Numbers:
        def __getitem__(self, key):
            loaded.append(key)
            return key

    batches = iter(BatchLoader(Numbers(), range(100), num_workers=3))
    assert next(batches) == 0
    batches.close()  # waits for the threads
    assert set(loaded) <= set(range(3 * 2 + 1))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("loader")]


def test_error_of_a_worker_reaches_the_training_loop(make_module, root):
    loader = make_module(num_workers=2).train_dataloader()
    for track in "acdf":
        shutil.rmtree(root / "train" / track)
    with pytest.raises(soundfile.LibsndfileError, match="System error"):
        next(iter(loader))


def keys_of(rank, world_size, batch_size, epoch=0):
    sampler = ExampleSampler(100, batch_size, seed=0, rank=rank, world_size=world_size)
    sampler.set_epoch(epoch)
    batches = list(sampler)
    assert len(batches) == len(sampler) and {len(batch) for batch in batches} == {batch_size}
    return [key for batch in batches for key in batch]


def test_processes_load_disjoint_examples():
    loaded = [key for rank in range(3) for key in keys_of(rank, 3, batch_size=4)]
    assert len(loaded) == len(set(loaded)) == 96


def test_global_batch_does_not_depend_on_the_number_of_processes():
    alone = keys_of(0, 1, batch_size=8)
    two = [keys_of(rank, 2, batch_size=4) for rank in range(2)]
    for k in range(len(alone) // 8):
        shares = [keys[4 * k : 4 * k + 4] for keys in two]
        assert alone[8 * k : 8 * k + 8] == shares[0] + shares[1]


def test_epochs_differ_in_order():
    orders = [[index for _, index in keys_of(0, 1, 10, epoch)] for epoch in (0, 1)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(100)) and orders[0] != orders[1]


def test_epoch_too_small_for_a_batch_is_an_error(make_module):
    with pytest.raises(DataError, match="20 examples, too few for one batch of 21.*samples_per_tr"):
        make_module(batch_size=21).train_dataloader()


def test_validation_covers_whole_tracks_in_chunks(make_module, root):
    module = make_module()
    chunks = list(module.val_dataloader())
    assert len(chunks) == 2 * 4
    assert all(m.shape == (1, 2, RATE // 4) and s.shape[:2] == (1, 4) for m, s in chunks)
    assert equal(chunks, list(module.val_dataloader()))


def test_processes_take_equally_many_validation_steps_and_no_sample_twice(make_module, monkeypatch):
    seen = []
    for rank in range(3):
        monkeypatch.setattr(
            "asteroid_xscheme.recipes.data.module._rank_and_world_size", lambda rank=rank: (rank, 3)
        )
        seen.append([mixture for mixture, _ in make_module().val_dataloader()])
    assert [len(chunks) for chunks in seen] == [3, 3, 3]
    n_samples = sum(mixture.shape[-1] for chunks in seen for mixture in chunks)
    assert n_samples == 2 * RATE
    assert len({m.numpy().tobytes() for chunks in seen for m in chunks}) == 9


def test_datasets_can_be_sent_to_other_processes(make_module):
    module = make_module(cache="memory")
    for dataset in (module.train_dataset(), module.val_dataloader().dataset):
        copy = pickle.loads(pickle.dumps(dataset))
        key = (0, 3) if hasattr(dataset, "segment") else 1
        assert torch.equal(copy[key][1], dataset[key][1])


def test_sources_and_channels_follow_the_options(make_module):
    module = make_module(nb_channels=1, sources=["vocals", "drums"], source_augmentations=[])
    mixture, sources = next(iter(module.train_dataloader()))
    assert mixture.shape[1] == 1 and sources.shape[1:3] == (2, 1)


def test_two_folders_are_mapped_and_weighted(make_module, root, tmp_path, make_track):
    for name in ("x", "y"):
        make_track(tmp_path / "stage" / "train" / name, ["voice", "kit"], mixture=False)
    module = make_module(
        train_dir=[str(root), str(tmp_path / "stage")],
        root_weights=[0.0, 1.0],
        source_map={"stage": {"voice": "vocals", "kit": "drums"}},
        sources=["drums", "vocals"],
        source_augmentations=[],
    )
    assert [track.name for track in module.train_tracks] == [*"acdf", *"xy"]
    (tmp_path / "songs").rename(tmp_path / "gone")  # weight 0: nothing is read from there
    assert len(list(module.train_dataloader())) == 7


def test_source_map_of_a_folder_that_is_not_used_is_refused(make_module):
    with pytest.raises(DataError, match="source_map mentions moises, but the folders.*songs"):
        make_module(source_map={"moises": {"a": "b"}})


def test_tracks_that_are_too_short_are_named_and_left_out(make_module, root, make_track):
    make_track(root / "train" / "jingle", n_samples=100)
    with pytest.warns(UserWarning, match="shorter than a segment of 0.25 s.*jingle"):
        module = make_module()
    assert "jingle" not in [track.name for track in module.train_tracks]


def test_segments_longer_than_all_tracks_are_an_error(make_module):
    with pytest.raises(DataError, match="No training track is left: 4 are shorter.*seq_dur"):
        make_module(seq_dur=2.0)
    with pytest.raises(DataError, match="No training track is left"):
        make_module(seq_dur=0.9, source_augmentations=["speed"])  # reads up to 1.125 s of 1 s


def test_missing_validation_tracks_are_an_error_that_names_existing_ones(make_module):
    with pytest.raises(DataError, match="not found in train/: q. Name existing tracks.*a, b, c"):
        make_module(valid_tracks=["a", "q"])
    with pytest.raises(DataError, match="none are named"):
        make_module(valid_tracks=[])
    with pytest.raises(DataError, match="ANiMAL - Rockshow"):
        make_module(valid_tracks=None)


def test_official_validation_tracks_are_the_default(make_module, root, make_track):
    official = validation_tracks()
    for name in official[:13]:
        make_track(root / "train" / name, n_samples=4000)
    with pytest.warns(UserWarning, match="are missing: Traffic Experiment - Sirens"):
        module = make_module(valid_tracks=None)
    assert {track.name for track in module.valid_tracks} == set(official[:13])


@pytest.mark.parametrize("dataset", ["musdb18", "musdb18hq", "demo", "folder"])
def test_infos_have_everything_that_asteroids_publisher_needs(dataset):
    from asteroid.models.publisher import make_license_notice

    infos = dataset_infos(dataset)
    assert infos["dataset"] and infos["task"]
    notice = make_license_notice("XUMX", infos["licenses"], uploader="me")
    assert ("Research only" in notice) == (dataset != "demo")


def test_infos_name_the_sources_of_the_data_set(make_module):
    assert dataset_infos("musdb18")["licenses"][0]["title"].startswith("MUSDB18")
    assert SOURCES == make_module().config.sources

"""An example is a function of (seed, epoch, index), and its mixture is the sum of its sources."""

import numpy as np
import pytest
import torch

from asteroid_xscheme.recipes.data import (
    Augmenter,
    DataError,
    SegmentDataset,
    cut_tracks,
    find_tracks,
)
from asteroid_xscheme.recipes.data.dataset import ValidationDataset

from .conftest import RATE, SOURCES

PLAIN = Augmenter([])


@pytest.fixture
def tracks(root):
    return find_tracks(root, "train", SOURCES)


def test_mixture_is_the_sum_of_the_augmented_sources(tracks):
    dataset = SegmentDataset(tracks, SOURCES, 1000, augmenter=Augmenter(["gain", "polarity"]))
    mixture, sources = dataset[0, 0]
    assert mixture.shape == (2, 1000) and sources.shape == (4, 2, 1000)
    assert mixture.dtype == sources.dtype == torch.float32
    assert torch.equal(mixture, sources[0] + sources[1] + sources[2] + sources[3])


def test_segments_of_the_shortest_track_fit_at_every_speed(tracks):
    augmenter = Augmenter(["speed"])
    longest = int(RATE / 1.25)
    dataset = SegmentDataset(tracks, SOURCES, longest, augmenter=augmenter)
    lengths = {dataset[0, index][1].shape[-1] for index in range(20)}
    assert lengths == {longest} and augmenter.samples_read(longest) == RATE


def test_example_depends_on_seed_epoch_and_index_only(tracks):
    first, again = (SegmentDataset(tracks, SOURCES, 1000, 5, seed=3) for _ in range(2))
    for key in [(0, 0), (0, 29), (1, 0), (7, 11)]:
        again[5, 5]
        assert torch.equal(first[key][1], again[key][1])
    other_seed = SegmentDataset(tracks, SOURCES, 1000, 5, seed=4)
    assert not torch.equal(first[0, 0][1], other_seed[0, 0][1])


def test_batch_stacks_its_examples(tracks):
    dataset = SegmentDataset(tracks, SOURCES, 1000, 5)
    keys = [(0, 7), (2, 0), (0, 7)]
    mixtures, sources = dataset[keys]
    assert mixtures.shape == (3, 2, 1000) and sources.shape == (3, 4, 2, 1000)
    for k, key in enumerate(keys):
        assert torch.equal(mixtures[k], dataset[key][0])
        assert torch.equal(sources[k], dataset[key][1])


def test_examples_are_distinct(tracks):
    dataset = SegmentDataset(tracks, SOURCES, 50, 5)
    drawn = [dataset[epoch, index][1] for epoch in range(3) for index in range(len(dataset))]
    assert len({sources.numpy().tobytes() for sources in drawn}) == 3 * 30


def test_global_random_numbers_are_neither_used_nor_needed(tracks):
    dataset = SegmentDataset(tracks, SOURCES, 1000)
    torch.manual_seed(0), np.random.seed(0)
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    expected = dataset[0, 1]
    assert torch.equal(states[0], torch.get_rng_state())
    assert np.array_equal(states[1], np.random.get_state()[1])
    torch.manual_seed(1), np.random.seed(1)
    assert torch.equal(dataset[0, 1][1], expected[1])


def _origin(segment, tracks, source):
    """(name, start) of the place in the tracks that a segment was read from."""
    for track in tracks:
        dataset = ValidationDataset(cut_tracks([track], RATE), [source])
        whole = dataset[0][1][0].numpy()
        starts = np.flatnonzero(whole[0, : RATE - len(segment[0]) + 1] == segment[0, 0])
        for start in starts:
            if np.array_equal(whole[:, start : start + len(segment[0])], segment):
                return track.name, int(start)
    return None


def test_random_mix_draws_each_source_independently(tracks):
    dataset = SegmentDataset(tracks, SOURCES, 200, augmenter=PLAIN)
    origins = [
        [_origin(segment, tracks, name) for name, segment in zip(SOURCES, dataset[0, k][1].numpy())]
        for k in range(6)
    ]
    assert all(origin is not None for of_example in origins for origin in of_example)
    assert all(len(set(of_example)) == 4 for of_example in origins)
    assert len({name for of_example in origins for name, _ in of_example}) > 3


def test_without_random_mix_sources_are_aligned_and_every_track_is_used(tracks):
    dataset = SegmentDataset(tracks, SOURCES, 200, 2, random_track_mix=False, augmenter=PLAIN)
    names = []
    for index in range(len(dataset)):
        segments = dataset[0, index][1].numpy()
        origins = {_origin(segment, tracks, name) for name, segment in zip(SOURCES, segments)}
        assert len(origins) == 1
        names.append(origins.pop()[0])
    assert names == list("aabbccddeeff")


def test_segment_may_be_the_whole_track_and_reaches_the_last_sample(tracks):
    whole = SegmentDataset(tracks, SOURCES, RATE, augmenter=PLAIN)
    assert whole[0, 0][0].shape == (2, RATE)
    almost = SegmentDataset(tracks[:1], SOURCES, RATE - 1, 200, augmenter=PLAIN)
    starts = {_origin(almost[0, k][1].numpy()[0], tracks[:1], "bass")[1] for k in range(20)}
    assert starts == {0, 1}


def test_mono_examples_of_stereo_files_have_one_channel(tracks):
    mixture, sources = SegmentDataset(tracks, SOURCES, 200, nb_channels=1)[0, 0]
    assert mixture.shape == (1, 200) and sources.shape == (4, 1, 200)


def test_sources_come_in_the_requested_order(tracks):
    forward = SegmentDataset(tracks[:1], SOURCES, RATE, augmenter=PLAIN)[0, 0][1]
    backward = SegmentDataset(tracks[:1], SOURCES[::-1], RATE, augmenter=PLAIN)[0, 0][1]
    assert torch.equal(forward, backward.flip(0))


def test_memory_cache_does_not_change_examples(tracks):
    for random_track_mix in (True, False):
        options = dict(segment=500, samples_per_track=2, random_track_mix=random_track_mix)
        read, kept = (
            SegmentDataset(tracks, SOURCES, cache=c, **options) for c in ("none", "memory")
        )
        for index in range(len(read)):
            assert torch.equal(read[1, index][1], kept[1, index][1])


@pytest.fixture
def two_roots(root, tmp_path, make_track):
    """The tracks of `root`, and three of another folder with other names of sources."""
    other = tmp_path / "stage"
    for name in ("x", "y"):
        make_track(other / "train" / name, ["voice", "kit", "keys"], mixture=False)
    make_track(other / "train" / "z", ["kit"], mixture=False)
    source_map = {"voice": "vocals", "kit": "drums", "keys": "other"}
    return find_tracks(root, "train", SOURCES), find_tracks(
        other, "train", SOURCES, source_map=source_map
    )


def test_tracks_without_a_source_are_used_for_the_others(two_roots):
    tracks = two_roots[0] + two_roots[1]
    dataset = SegmentDataset(tracks, SOURCES, 200, augmenter=PLAIN)
    drawn = [dataset[0, k][1].numpy() for k in range(40)]
    from_z = {_origin(sources[1], [tracks[-1]], "drums") for sources in drawn} - {None}
    assert from_z
    assert all(sources.any(axis=(1, 2)).all() for sources in drawn)
    names = {_origin(sources[0], tracks, "bass")[0] for sources in drawn}
    assert names <= set("abcdef")


def test_without_random_mix_a_source_that_a_track_lacks_is_silent(two_roots):
    dataset = SegmentDataset(
        two_roots[1], ["drums", "vocals", "other"], 200, random_track_mix=False
    )
    mixture, sources = dataset[0, 2]
    assert sources[0].any() and not sources[1:].any()
    assert torch.equal(mixture, sources[0])


@pytest.mark.parametrize("random_track_mix", [True, False])
def test_root_weights_set_how_often_a_folder_is_drawn(two_roots, random_track_mix):
    ours, theirs = two_roots
    weights = {ours[0].root: 1.0, theirs[0].root: 3.0}
    dataset = SegmentDataset(
        ours + theirs,
        ["drums"],
        50,
        50,
        random_track_mix=random_track_mix,
        augmenter=PLAIN,
        root_weights=weights,
    )
    from_theirs = [_origin(dataset[0, k][1][0].numpy(), theirs, "drums") for k in range(200)]
    share = sum(origin is not None for origin in from_theirs) / 200
    assert share == pytest.approx(0.75, abs=4 * (0.75 * 0.25 / 200) ** 0.5)  # four deviations


def test_source_that_no_track_has_is_an_error(tracks):
    with pytest.raises(DataError, match="No training track has the source 'violin'"):
        SegmentDataset(tracks, ["bass", "violin"], 200)


def test_root_weights_of_zero_are_an_error(tracks):
    with pytest.raises(DataError, match="have the weight 0"):
        SegmentDataset(tracks, SOURCES, 200, root_weights={tracks[0].root: 0.0})


@pytest.mark.parametrize("longest, multiple", [(3000, 1), (RATE, 1), (777, 4), (100_000, 5)])
def test_chunks_cover_every_sample_once(tracks, longest, multiple):
    chunks = cut_tracks(tracks, longest, multiple)
    assert len(chunks) % multiple == 0
    assert max(chunk.n_samples for chunk in chunks) <= longest
    for track in tracks:
        of_track = [chunk for chunk in chunks if chunk.track is track]
        starts = [chunk.start for chunk in of_track]
        ends = [chunk.start + chunk.n_samples for chunk in of_track]
        assert starts[0] == 0 and starts[1:] == ends[:-1] and ends[-1] == track.n_samples


def test_chunks_of_a_track_are_about_equal_in_length(tracks):
    lengths = {chunk.n_samples for chunk in cut_tracks(tracks, RATE - 1)}
    assert lengths == {RATE // 2}


def test_chunk_is_read_unchanged(tracks):
    dataset = ValidationDataset(cut_tracks(tracks, 3000), SOURCES)
    mixture, sources = dataset[1]
    chunk = dataset.chunks[1]
    whole = ValidationDataset(cut_tracks([chunk.track], RATE), SOURCES)[0][1]
    assert torch.equal(sources, whole[..., chunk.start : chunk.start + chunk.n_samples])
    assert torch.equal(mixture, sources[0] + sources[1] + sources[2] + sources[3])

"""Cutting and joining streams: every sample once, weights that add up to 1, no step at a seam."""

import pytest
import torch

from asteroid_xscheme.separation.chunks import Chunk, cut_chunks, join_chunks


def stream(n_samples, block):
    return ((part,) for part in torch.arange(float(n_samples)).split(block))


def joined(chunks, overlap, fade, axis=0, at_once=1000):
    """Chunks (start, tensors) joined, as blocks of tensors."""
    lazy = (
        Chunk(start, tensors[0].shape[axis], lambda steps, x=tensors: narrowed(x, axis, steps))
        for start, tensors in chunks
    )
    return list(join_chunks(lazy, overlap, fade, axis, at_once))


def narrowed(tensors, axis, steps):
    return tuple(x.narrow(axis, steps.start, steps.stop - steps.start) for x in tensors)


@pytest.mark.parametrize("n_samples", [1, 5, 10, 11, 16, 17, 100])
@pytest.mark.parametrize("block", [1, 7, 1000])
@pytest.mark.parametrize("overlap, fade", [(0, 0), (3, 1), (4, 4), (5, 5), (5, 2)])
def test_joined_chunks_equal_the_stream(n_samples, block, overlap, fade):
    chunks = list(cut_chunks(stream(n_samples, block), 10, 10 - overlap, axis=0))
    assert all(len(x) == min(10, n_samples) for _, (x,) in chunks)
    assert all(x[0] == start for start, (x,) in chunks)
    for at_once in (1, 4, 1000):
        parts = [x for (x,) in joined(chunks, overlap, fade, at_once=at_once)]
        assert max(len(x) for x in parts) <= max(at_once, overlap)
        assert torch.allclose(torch.cat(parts), torch.arange(float(n_samples)))


def test_all_tensors_of_a_block_stay_together_along_any_axis():
    blocks = [(torch.ones(2, 6) * k, torch.ones(3, 2, 6) * k) for k in range(4)]
    chunks = cut_chunks(blocks, 8, 6, axis=-1)
    parts = joined(chunks, 2, 2, axis=-1)
    one, two = (torch.cat(tensors, -1) for tensors in zip(*parts))
    assert torch.allclose(one, torch.cat([x for x, _ in blocks], -1))
    assert torch.allclose(two, torch.cat([y for _, y in blocks], -1))


def test_seam_between_different_chunks_is_a_ramp():
    chunks = [(0, (torch.zeros(100),)), (60, (torch.ones(100),))]
    seam = torch.cat([x for (x,) in joined(chunks, 40, 20)])
    assert seam.shape == (160,)
    assert seam.diff().abs().max() < 0.05
    assert seam[:70].abs().max() == 0
    assert seam[90:].min() == 1


def test_empty_stream_has_no_chunks():
    assert list(cut_chunks([], 10, 5, axis=0)) == []
    assert joined([], 2, 2) == []


def test_steps_before_a_cross_fade_are_not_computed():
    computed = []

    def compute(steps):
        computed.append((steps.start, steps.stop))
        return (torch.zeros(steps.stop - steps.start),)

    list(join_chunks([Chunk(0, 10, compute), Chunk(6, 10, compute)], 4, 2, axis=0))
    assert computed == [(0, 6), (6, 10), (1, 3), (3, 6), (6, 10)]

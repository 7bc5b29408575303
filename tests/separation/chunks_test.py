"""Cutting and joining streams: every sample once, weights that add up to 1, no step at a seam."""

import pytest
import torch

from asteroid_xscheme.separation.chunks import cut_chunks, join_chunks


def stream(n_samples, block):
    return ((part,) for part in torch.arange(float(n_samples)).split(block))


@pytest.mark.parametrize("n_samples", [1, 5, 10, 11, 16, 17, 100])
@pytest.mark.parametrize("block", [1, 7, 1000])
@pytest.mark.parametrize("overlap, fade", [(0, 0), (3, 1), (4, 4), (5, 5), (5, 2)])
def test_joined_chunks_equal_the_stream(n_samples, block, overlap, fade):
    chunks = list(cut_chunks(stream(n_samples, block), 10, 10 - overlap, axis=0))
    assert all(len(x) == min(10, n_samples) for _, (x,) in chunks)
    assert all(x[0] == start for start, (x,) in chunks)
    joined = torch.cat([x for (x,) in join_chunks(iter(chunks), fade, axis=0)])
    assert torch.allclose(joined, torch.arange(float(n_samples)))


def test_all_tensors_of_a_block_stay_together_along_any_axis():
    blocks = [(torch.ones(2, 6) * k, torch.ones(3, 2, 6) * k) for k in range(4)]
    chunks = cut_chunks(blocks, 8, 6, axis=-1)
    parts = list(join_chunks(chunks, 2, axis=-1))
    one, two = (torch.cat(tensors, -1) for tensors in zip(*parts))
    assert torch.allclose(one, torch.cat([x for x, _ in blocks], -1))
    assert torch.allclose(two, torch.cat([y for _, y in blocks], -1))


def test_seam_between_different_chunks_is_a_ramp():
    chunks = [(0, (torch.zeros(100),)), (60, (torch.ones(100),))]
    joined = torch.cat([x for (x,) in join_chunks(chunks, 20, axis=0)])
    assert joined.shape == (160,)
    assert joined.diff().abs().max() < 0.05
    assert joined[:70].abs().max() == 0
    assert joined[90:].min() == 1


def test_empty_stream_has_no_chunks():
    assert list(cut_chunks([], 10, 5, axis=0)) == []
    assert list(join_chunks([], 2, axis=0)) == []

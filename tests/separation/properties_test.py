"""Laws of separation over any channels, rates, lengths and blocks."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from asteroid_xscheme.models import XUMX
from asteroid_xscheme.separation import Separator, Song

QUICK = settings(derandomize=True, deadline=None, max_examples=12, database=None)
MANY = settings(derandomize=True, deadline=None, max_examples=300, database=None)
RATE = 8000

channels = some.integers(1, 5)
lengths = some.integers(1, 6000)
sizes = some.integers(1, 7000)
rates = some.sampled_from([2000, 8000, 11025, 44100])
chunks = some.sampled_from([None, 0.05, 0.3])


def separator(nb_channels, chunk_seconds):
    options = dict(window_length=128, in_chan=128, n_hop=32, hidden_size=4, nb_layers=1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = XUMX(["a", "b"], sample_rate=RATE, nb_channels=nb_channels, **options).eval()
    return Separator(model, "cpu", chunk_seconds=chunk_seconds)


def check(nb_channels, n_channels, n_samples, size, rate, chunk_seconds):
    """Sources are as long as the song; at the model's rate they sum to it; blocks do not matter."""
    generator = torch.Generator().manual_seed(n_samples)
    waveform = 0.1 * torch.randn(n_channels, n_samples, generator=generator)
    model = separator(nb_channels, chunk_seconds)
    by_blocks = Song("song", rate, n_channels, n_samples, lambda: iter(waveform.split(size, -1)))
    sources = torch.cat(list(model.stream(by_blocks)), -1)
    assert sources.shape == (2, n_channels, n_samples)
    assert sources.isfinite().all()
    at_once = torch.stack(list(model.separate(waveform, rate).values()))
    torch.testing.assert_close(sources, at_once, atol=1e-5, rtol=0)
    if rate == RATE:
        torch.testing.assert_close(sources.sum(0), waveform, atol=1e-5, rtol=0)


@QUICK
@given(some.tuples(some.integers(1, 3), channels, lengths, sizes, rates, chunks))
def test_separation_does_not_depend_on_block_sizes(case):
    check(*case)


@pytest.mark.slow
@pytest.mark.fuzz
@MANY
@given(some.tuples(some.integers(1, 3), channels, lengths, sizes, rates, chunks))
def test_separation_of_many_songs_does_not_depend_on_block_sizes(case):
    check(*case)

"""The losses of sums of sources equal their definition for any J, C, B and T."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import mse_loss

from asteroid_xscheme.bridge import average
from asteroid_xscheme.losses import CombinationLoss, combination_mse, combination_wsdr, weighted_sdr

pytestmark = pytest.mark.fuzz
SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 3), st.integers(1, 50))
SEEDS = st.integers(0, 2**32 - 1)
LEVELS = st.floats(-4, 4).map(lambda power: 10**power)


def signals(shape, seed, level):
    generator = torch.Generator().manual_seed(seed)
    return level * torch.randn(2, *shape, generator=generator, dtype=torch.float64)


@settings(max_examples=300, deadline=None)
@given(SHAPES, SEEDS, LEVELS)
def test_squared_error_of_sums_equals_its_definition(shape, seed, level):
    estimates, references = signals(shape, seed, level)
    slow = CombinationLoss(lambda one, other: mse_loss(one, other))(estimates, references)
    # at most 2^5 sums of products, each with a relative error of 50 * 3 * 3 u
    torch.testing.assert_close(combination_mse(estimates, references), slow, rtol=1e-12, atol=0)


@settings(max_examples=300, deadline=None)
@given(SHAPES, SEEDS, LEVELS)
def test_weighted_sdr_of_sums_equals_its_definition_and_is_between_0_and_2(shape, seed, level):
    estimates, references = signals(shape, seed, level)
    mixture = references.sum(1)
    fast = combination_wsdr(estimates, references)
    slow = CombinationLoss(lambda one, other: weighted_sdr(one, other, mixture))
    torch.testing.assert_close(fast, slow(estimates, references), rtol=0, atol=1e-9)
    assert -1e-12 <= fast <= 2 + 1e-12


@settings(max_examples=300, deadline=None)
@given(SHAPES, SEEDS)
def test_bridge_is_the_mean_and_keeps_equal_features(shape, seed):
    paths = list(signals(shape, seed, 1.0)[0].float().unbind(1))
    torch.testing.assert_close(average(paths), torch.stack(paths).mean(0), rtol=1e-5, atol=1e-6)
    same = [paths[0]] * len(paths)
    torch.testing.assert_close(average(same), paths[0], rtol=1e-6, atol=0)

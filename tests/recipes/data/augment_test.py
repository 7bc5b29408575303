"""Distribution and repeatability of the augmentations."""

import numpy as np
import pytest

from asteroid_xscheme.recipes.data import Augmentation, Augmenter
from asteroid_xscheme.recipes.data.augment import SPEEDS


def draws(augmenter, n=4000):
    generator = np.random.default_rng(0)
    return [augmenter.draw(generator) for _ in range(n)]


def test_gain_is_uniform_between_its_bounds():
    gains = np.array([draw.gain for draw in draws(Augmenter(["gain"], 0.25, 1.25))])
    assert gains.min() >= 0.25 and gains.max() <= 1.25
    limit = 4 / np.sqrt(12 * len(gains))  # four deviations of a mean; those of the other are less
    assert gains.mean() == pytest.approx(0.75, abs=limit)
    assert gains.std() == pytest.approx(1 / np.sqrt(12), abs=limit)


def test_swap_and_polarity_change_half_of_the_draws_independently():
    drawn = draws(Augmenter(["channelswap", "polarity"]))
    swapped = np.array([draw.swap for draw in drawn])
    inverted = np.array([draw.gain == -1 for draw in drawn])
    for share in (swapped.mean(), inverted.mean(), (swapped == inverted).mean()):
        assert share == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / len(drawn)))  # four deviations


def test_speed_is_uniform_in_its_range_and_reads_within_its_bound():
    augmenter = Augmenter(["speed"])
    speeds = np.array([draw.speed for draw in draws(augmenter)])
    assert SPEEDS[0] <= speeds.min() and speeds.max() <= SPEEDS[1]
    assert speeds.mean() == pytest.approx(np.mean(SPEEDS), abs=0.01)
    assert int(1000 * speeds.max()) <= augmenter.samples_read(1000) == 1250
    assert Augmenter(["gain"]).samples_read(1000) == 1000


def test_no_augmentations_change_nothing():
    assert set(draws(Augmenter([]), 10)) == {Augmentation(1.0, False)}


def test_draws_of_one_augmentation_do_not_depend_on_others():
    both = draws(Augmenter(["gain", "channelswap"]), 10)
    assert [d.gain for d in both] == [d.gain for d in draws(Augmenter(["gain"]), 10)]
    assert [d.swap for d in both] == [d.swap for d in draws(Augmenter(["channelswap"]), 10)]

"""Statistics of grids on data whose answers are known."""

import numpy as np
import pytest

from asteroid_xscheme.recipes.ablation import (
    Comparison,
    compare,
    compare_pairs,
    holm,
    interval,
    over_seeds,
    signed_rank_p,
)
from asteroid_xscheme.recipes.ablation.statistics import paired_differences

NAN = float("nan")


def noise(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def test_figures_are_medians_over_tracks_and_their_mean_over_sources():
    scores = np.array([[[1.0, 4.0], [2.0, 5.0], [9.0, 6.0]], [[3.0, 6.0], [4.0, 7.0], [5.0, 8.0]]])
    mean, deviation = over_seeds(scores)
    np.testing.assert_allclose(mean, [3.0, 6.0, 4.5])  # of 2, 5, 3.5 and 4, 7, 5.5
    np.testing.assert_allclose(deviation, np.sqrt([2.0, 2.0, 2.0]))


def test_tracks_without_a_score_are_left_out_of_figures():
    mean, deviation = over_seeds(np.array([[[1.0], [NAN], [3.0]]]))
    np.testing.assert_allclose(mean, [2.0, 2.0])
    assert np.isnan(deviation).all()  # a single seed says nothing of its luck


def test_differences_are_averaged_over_common_sources():
    scores, baseline = np.array([[[3.0, 9.0, NAN]]]), np.array([[[1.0, NAN, 5.0]]])
    assert paired_differences(scores, baseline) == [[2.0]]
    assert np.isnan(paired_differences(scores * NAN, baseline)).all()


def test_arrays_of_different_shapes_cannot_be_paired():
    with pytest.raises(ValueError, match="Expected pairs"):
        paired_differences(np.zeros((1, 3, 4)), np.zeros((2, 3, 4)))


@pytest.mark.parametrize("n, p", [(5, 2 / 2**5), (6, 2 / 2**6), (10, 2 / 2**10)])
def test_p_value_of_equal_signs_is_that_of_fair_coins(n, p):
    assert signed_rank_p(np.arange(1.0, n + 1)) == pytest.approx(p)


def test_p_value_is_1_without_a_difference_and_undefined_without_data():
    assert signed_rank_p(np.zeros((3, 4))) == 1.0
    assert np.isnan(signed_rank_p(np.full((3, 4), NAN)))


def test_p_value_ignores_undefined_differences():
    assert signed_rank_p(np.array([[1.0, 2, NAN], [3, 4, 5]])) == pytest.approx(2 / 2**5)


def test_interval_of_equal_differences_is_a_point():
    assert interval(np.full((3, 6), 0.5)) == pytest.approx((0.5, 0.5))


def test_interval_is_that_of_the_mean_for_many_tracks_of_one_seed():
    differences = noise(1, 1, 400)
    low, high = interval(differences)
    margin = 1.96 * differences.std() / np.sqrt(differences.size)
    np.testing.assert_allclose([low, high], differences.mean() + margin * np.array([-1, 1]), 0.15)


def test_interval_accounts_for_correlation_within_a_seed():
    """Seeds that disagree cannot be outvoted by many tracks."""
    differences = np.array([[-1.0], [0.2], [2.0]]) + 0.01 * noise(2, 3, 200)
    low, high = interval(differences)
    assert low < 0 < high and high - low > 1


def test_interval_usually_covers_the_true_difference():
    covered = 0
    for seed in range(100):
        differences = 0.3 + 0.2 * noise(3 + seed, 8, 1) + 0.5 * noise(1003 + seed, 8, 12)
        low, high = interval(differences, n_resamples=400)
        covered += low <= 0.3 <= high
    assert covered >= 85


def test_interval_is_reproducible():
    differences = noise(4, 3, 6)
    assert interval(differences) == interval(differences) != interval(differences, seed=1)


def test_interval_ignores_undefined_differences():
    differences = np.full((3, 6), 0.5)
    differences[1, 2] = NAN
    assert interval(differences) == pytest.approx((0.5, 0.5))


def test_interval_of_a_single_difference_is_undefined():
    assert np.isnan(interval(np.array([[0.5]]))).all()


def test_corrected_p_values_grow_with_their_number_and_keep_their_order():
    np.testing.assert_allclose(holm([0.04, 0.01, 0.5]), [0.08, 0.03, 0.5])
    np.testing.assert_allclose(holm([0.02, 0.02, 0.9, NAN]), [0.06, 0.06, 0.9, NAN])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_rows_get_the_verdict_they_were_constructed_for():
    baseline = 5 + noise(5, 3, 10, 4)
    scores = {
        "none": baseline,
        "more": baseline + 0.5 + 0.1 * noise(6, 3, 10, 4),
        "less": baseline - 0.5 + 0.1 * noise(7, 3, 10, 4),
        "same": baseline + 0.5 * noise(8, 3, 10, 4),
        "lucky": baseline + np.array([1.5, 0.9, -0.3])[:, None, None],
    }
    found = compare(scores, "none")
    assert {name: comparison.verdict for name, comparison in found.items()} == {
        "more": "better",
        "less": "worse",
        "same": "not significant",
        "lucky": "not significant",  # the test alone, p < 0.001, would be too sure
    }
    assert found["more"].mean == pytest.approx(0.5, abs=0.05)
    assert found["lucky"].p < 0.001 and found["lucky"].low < 0


def test_four_pairs_estimate_an_effect_better_than_one():
    """A thing brings 0.2 dB, the luck of a training 0.3 dB."""
    pairs = [("a", "A"), ("b", "B"), ("c", "C"), ("d", "D")]
    bring = {name: 0.2 * name.isupper() for pair in pairs for name in pair}
    scores = {
        name: 5 + gain + 0.3 * noise(seed, 3, 1, 1) + 0.1 * noise(20 + seed, 3, 12, 4)
        for seed, (name, gain) in enumerate(bring.items())
    }
    found = compare_pairs(scores, {"it": pairs})["it"]
    alone = [compare({n: scores[n] for n in pair}, pair[0])[pair[1]] for pair in pairs]
    assert found.mean == pytest.approx(np.mean([one.mean for one in alone]))
    assert found.high - found.low < min(one.high - one.low for one in alone)


def test_pair_without_a_score_is_left_out_of_the_effect():
    off, on = np.ones((2, 3, 4)), np.full((2, 3, 4), 1.5)
    lost = off.copy()
    lost[0, 1] = NAN
    scores = {"none": lost, "MDL": on, "CL": off, "MDL+CL": on}
    found = compare_pairs(scores, {"MDL": [("none", "MDL"), ("CL", "MDL+CL")]})["MDL"]
    assert (found.mean, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))


@pytest.mark.parametrize(
    "comparison, verdict",
    [
        (Comparison(0.3, 0.1, 0.5, 0.01), "better"),
        (Comparison(-0.3, -0.5, -0.1, 0.01), "worse"),
        (Comparison(0.3, 0.1, 0.5, 0.05), "not significant"),
        (Comparison(0.3, 0.0, 0.5, 0.01), "not significant"),
        (Comparison(0.3, NAN, NAN, 1.0), "not testable"),
    ],
)
def test_difference_is_significant_only_if_test_and_interval_agree(comparison, verdict):
    assert comparison.verdict == verdict

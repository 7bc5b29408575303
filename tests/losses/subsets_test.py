import itertools

import pytest
import torch

from asteroid_xscheme.losses.subsets import subset_counts, subset_matrix, subset_sizes

CPU = torch.device("cpu")


@pytest.mark.parametrize("sizes", [None, (1,), (2, 3), (1, 4)])
@pytest.mark.parametrize("n_sources", [4, 5])
def test_matrix_has_one_row_for_each_combination(n_sources, sizes):
    sizes = subset_sizes(n_sources, sizes)
    matrix = subset_matrix(n_sources, sizes, torch.float64, CPU)
    rows = {tuple(row.nonzero().flatten().tolist()) for row in matrix}
    expected = [s for k in sizes for s in itertools.combinations(range(n_sources), k)]
    assert len(matrix) == len(expected)
    assert rows == set(expected)


@pytest.mark.parametrize("sizes", [None, (1,), (2, 3), (1, 4)])
@pytest.mark.parametrize("n_sources", [4, 5])
def test_counts_equal_the_gram_matrix_of_the_combinations(n_sources, sizes):
    sizes = subset_sizes(n_sources, sizes)
    matrix = subset_matrix(n_sources, sizes, torch.float64, CPU)
    counts = subset_counts(n_sources, sizes)
    expected = torch.full((n_sources, n_sources), counts.with_pair, dtype=torch.float64)
    expected.fill_diagonal_(counts.with_source)
    assert counts.total == len(matrix)
    assert torch.equal(matrix.T @ matrix, expected)


def test_one_source_is_its_own_only_combination():
    assert subset_sizes(1) == (1,)
    assert subset_counts(1, (1,)) == (1, 1, 0)


def test_four_sources_have_fourteen_combinations_and_eight_have_254():
    assert subset_counts(4, subset_sizes(4)).total == 14
    assert subset_counts(8, subset_sizes(8)).total == 254

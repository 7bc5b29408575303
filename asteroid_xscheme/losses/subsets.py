"""Which sources the combination loss adds up, and how many sums contain each source or pair.

A *combination* is a set of sources whose sum is compared with the sum of their references. The
paper uses all combinations of 1 to J - 1 sources, 2^J - 2 in total; a single source is one of them.
"""

from math import comb
from typing import NamedTuple, Optional, Sequence, Tuple

import torch


class SubsetCounts(NamedTuple):
    """Numbers of combinations: all, with a given source, with a given pair of sources."""

    total: int
    with_source: int
    with_pair: int


def subset_sizes(n_sources: int, sizes: Optional[Sequence[int]] = None) -> Tuple[int, ...]:
    """Numbers of sources to add up, in ascending order.

    Args:
        n_sources: The number of sources J.
        sizes: Chosen numbers, each in 1..J; None for the paper's 1..J-1 (1 if J is 1).

    Raises:
        ValueError: If none is chosen, or a number is not in 1..J.
    """
    if sizes is None:
        return tuple(range(1, max(n_sources, 2)))
    chosen = tuple(sorted(set(sizes)))
    if not chosen or chosen[0] < 1 or chosen[-1] > n_sources:
        raise ValueError(
            f"Expected sizes of combinations from 1 to the number of sources, {n_sources}, "
            f"got {list(sizes)}; pass sizes=None for all combinations."
        )
    return chosen


def subset_counts(n_sources: int, sizes: Sequence[int]) -> SubsetCounts:
    """Counts of the combinations of the given sizes out of J sources.

    They are all entries of A^T A, with A the matrix of :func:`subset_matrix`: `with_source` on its
    diagonal, `with_pair` elsewhere.
    """
    return SubsetCounts(
        total=sum(comb(n_sources, size) for size in sizes),
        with_source=sum(comb(n_sources - 1, size - 1) for size in sizes),
        with_pair=sum(comb(n_sources - 2, size - 2) for size in sizes if size > 1),
    )


def subset_matrix(
    n_sources: int, sizes: Sequence[int], dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    """Matrix A (K, J) of ones and zeros: row k marks the sources of combination k.

    >>> subset_matrix(3, (1, 2), torch.float32, torch.device("cpu")).int().tolist()
    [[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1], [1, 0, 1], [0, 1, 1]]
    """
    if tuple(sizes) == (1,):
        return torch.eye(n_sources, dtype=dtype, device=device)
    codes = torch.arange(1, 2**n_sources, device=device)
    members = (codes[:, None] >> torch.arange(n_sources, device=device)) & 1
    if tuple(sizes) == tuple(range(1, n_sources)):
        return members[:-1].to(dtype)
    chosen = [code - 1 for code in range(1, 2**n_sources) if bin(code).count("1") in sizes]
    return members[torch.tensor(chosen, device=device)].to(dtype)

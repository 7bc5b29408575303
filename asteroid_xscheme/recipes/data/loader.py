"""Load batches in threads, ahead of their use.

Reading and mixing release Python's global lock, so threads load in parallel. Unlike processes, they
need no shared memory, whose pages the system clears anew for every batch: that takes twice as long
as loading the batch.
"""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, Generic, Iterable, Iterator, Protocol, Sized, TypeVar

Batch = TypeVar("Batch", covariant=True)
_AHEAD = 2  # batches per thread


class _Batches(Protocol[Batch]):
    """A dataset whose items are batches."""

    def __getitem__(self, key: Any) -> Batch: ...


class _Keys(Sized, Iterable[Any], Protocol):
    """The keys of an epoch's batches."""


class BatchLoader(Generic[Batch]):
    """Batches of a dataset in the order of a sampler, once for each iteration.

    Args:
        dataset: A dataset whose items are batches; several threads index it at once.
        sampler: The keys of an epoch's batches, in order.
        num_workers: Threads that load; 0 loads each batch when it is asked for.
    """

    def __init__(self, dataset: _Batches[Batch], sampler: _Keys, num_workers: int = 0):
        self.dataset, self.sampler, self.num_workers = dataset, sampler, num_workers

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[Batch]:
        return self._load_ahead() if self.num_workers else map(self._load, self.sampler)

    def _load(self, key: Any) -> Batch:
        return self.dataset[key]

    def _load_ahead(self) -> Iterator[Batch]:
        keys = iter(self.sampler)
        pool = ThreadPoolExecutor(self.num_workers, "loader")
        try:
            first = islice(keys, _AHEAD * self.num_workers)
            loading = deque(pool.submit(self._load, key) for key in first)
            while loading:
                batch = loading.popleft().result()
                loading.extend(pool.submit(self._load, key) for key in islice(keys, 1))
                yield batch
        finally:
            pool.shutdown(cancel_futures=True)

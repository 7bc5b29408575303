"""Networks of several sources computed at the same time by the threads of a CPU.

Threads that share a recurrent layer synchronize at every frame, for a product too small to share.
It is faster to give each thread its own source.
"""

import ctypes
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Iterable, List, Optional

import torch

from ..models.inference import Map
from .pipelines import precision_of

_STARTING = threading.Lock()
_TORCH_LIBRARIES = {
    "linux": "libtorch_cpu.so",
    "darwin": "libtorch_cpu.dylib",
    "win32": "torch_cpu.dll",
}


def runner(
    n_sources: int, device: torch.device, autocast: Optional[torch.dtype], n_callers: int = 1
) -> Map:
    """What calls the networks of sources that do not wait for each other.

    Args:
        n_sources: How many there are at most.
        device: Where the networks are.
        autocast: Precision of the networks, None for that of their weights.
        n_callers: How many threads call it at the same time; each has workers for its threads.

    Returns:
        `map` where one thread works, or none of a CPU; else a :class:`SideBySide`.
    """
    n_threads = torch.get_num_threads()
    if device.type != "cpu" or n_threads == 1:
        return map
    threads_each = max(1, n_threads // n_sources)
    return SideBySide(n_callers * (n_threads // threads_each), threads_each, autocast)


class SideBySide:
    """`map` for networks in inference, by workers that end with it.

    Args:
        n_workers: Number of workers.
        threads_each: Threads of torch of each; those of other threads stay as they are.
        autocast: Precision of the networks, None for that of their weights.
    """

    def __init__(self, n_workers: int, threads_each: int, autocast: Optional[torch.dtype]):
        self.autocast = autocast
        all_started = threading.Barrier(n_workers + 1)

        def start() -> None:
            torch.get_num_threads()  # the first call in a thread makes its number all threads'
            torch.set_num_threads(threads_each)
            limit_mkl_here(threads_each)
            all_started.wait()

        with _STARTING:
            n_threads = torch.get_num_threads()
            self.pool = ThreadPoolExecutor(n_workers, "sources", start)
            for _ in range(n_workers):
                self.pool.submit(int)
            all_started.wait()
            torch.set_num_threads(n_threads)  # a worker's number is that of threads to come, too

    def __call__(self, function: Callable, *arguments: Iterable) -> List[Any]:
        """What a function returns for each of the arguments, in their order."""

        def infer(*of_one: Any) -> Any:  # threads know nothing of their caller's modes
            with torch.no_grad(), precision_of(torch.device("cpu"), self.autocast):
                return function(*of_one)

        return list(self.pool.map(infer, *arguments))

    def __deepcopy__(self, memo: dict) -> "SideBySide":
        """Copies of a model share their workers."""
        return self


def limit_mkl_here(n_threads: int) -> bool:
    """Give MKL, which multiplies inside of a recurrent layer, so many threads in this thread.

    `torch.set_num_threads` sets one number for MKL in all threads. Where that of the main thread
    counts, workers of one thread each wait at every frame for threads that have no core.

    Returns:
        Whether torch brings MKL; other libraries take the number of torch.
    """
    path = Path(torch.__file__).parent / "lib" / _TORCH_LIBRARIES.get(sys.platform, "")
    library = ctypes.CDLL(str(path)) if path.is_file() else None
    function = getattr(library, "MKL_Set_Num_Threads_Local", None)
    if function is not None:
        function(n_threads)
    return function is not None

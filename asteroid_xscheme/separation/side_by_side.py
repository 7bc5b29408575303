"""Run the networks of several sources at the same time, each on its own CPU threads.

Threads that share a recurrent layer synchronize at every frame, for a matrix product too small to
divide. It is faster to give each thread its own source. The same holds for the many small steps of
the Wiener filter, of which each thread takes its own frames.
"""

import ctypes
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Iterable, List

import torch

from ..models.inference import Map
from .pipelines import precision_of

_STARTING = threading.Lock()
_TORCH_LIBRARIES = {
    "linux": "libtorch_cpu.so",
    "darwin": "libtorch_cpu.dylib",
    "win32": "torch_cpu.dll",
}


def runner(n_sources: int, device: torch.device, n_callers: int = 1) -> Map:
    """Choose how to run the networks of independent sources.

    Args:
        n_sources: Maximum number of networks.
        device: Device of the networks.
        n_callers: Threads that will call the result at the same time.

    Returns:
        `map` on a GPU or if torch has one thread, otherwise a :class:`SideBySide`.
    """
    n_threads = torch.get_num_threads()
    if device.type != "cpu" or n_threads == 1:
        return map
    threads_each = max(1, n_threads // n_sources)
    return SideBySide(n_callers * (n_threads // threads_each), threads_each)


class SideBySide:
    """A parallel `map` for networks in inference, with its own worker threads.

    Args:
        n_workers: Number of workers.
        threads_each: Number of torch threads per worker; other threads keep theirs.
    """

    def __init__(self, n_workers: int, threads_each: int):
        all_started = threading.Barrier(n_workers + 1)

        def start() -> None:
            torch.get_num_threads()  # the first call in a thread sets the number for all threads
            torch.set_num_threads(threads_each)
            limit_mkl_here(threads_each)
            all_started.wait()

        with _STARTING:
            n_threads = torch.get_num_threads()
            self.pool = ThreadPoolExecutor(n_workers, "sources", start)
            for _ in range(n_workers):
                self.pool.submit(int)
            all_started.wait()
            torch.set_num_threads(n_threads)  # a worker's number also applied to future threads

    def __call__(self, function: Callable, *arguments: Iterable) -> List[Any]:
        """Call a function with each tuple of arguments, as `map`; return the list of results."""
        reduced = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None

        def infer(*each: Any) -> Any:  # threads do not inherit the caller's modes
            with torch.no_grad(), precision_of(torch.device("cpu"), reduced):
                return function(*each)

        return list(self.pool.map(infer, *arguments))

    def __deepcopy__(self, memo: dict) -> "SideBySide":
        """Share the workers between copies of a model."""
        return self


def limit_mkl_here(n_threads: int) -> bool:
    """Set the number of MKL threads for calls from the current thread.

    MKL computes the products of recurrent layers. `torch.set_num_threads` sets one number for MKL
    in all threads; with the main thread's number, MKL would start more threads than there are
    cores, and every worker would wait for them at every frame.

    Args:
        n_threads: Number of threads.

    Returns:
        Whether torch includes MKL; other libraries use torch's number.
    """
    path = Path(torch.__file__).parent / "lib" / _TORCH_LIBRARIES.get(sys.platform, "")
    library = ctypes.CDLL(str(path)) if path.is_file() else None
    function = getattr(library, "MKL_Set_Num_Threads_Local", None)
    if function is not None:
        function(n_threads)
    return function is not None

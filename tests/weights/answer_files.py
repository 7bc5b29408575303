"""A process that may die: reads names of weights files and answers each with one line.

Usage: answer_files.py BYTES SECONDS  (of memory, and of processor time for a file)
"""

import resource
import signal
import sys

from asteroid_xscheme.models import BridgedModel
from asteroid_xscheme.weights import CheckpointError


def answer(path: str) -> str:
    """The outcome for a file: "loaded", or the error message."""
    try:
        model = BridgedModel.from_pretrained(path)
    except CheckpointError as error:
        return repr(str(error))
    assert all(value.isfinite().all() for value in model.state_dict().values())
    return "loaded"


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_PROF, float(sys.argv[2]))  # it ends the process
        print(answer(line.rstrip("\n")), flush=True)

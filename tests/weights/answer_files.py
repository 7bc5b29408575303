"""A process that may die: reads names of files of weights, answers each in a line.

Usage: answer_files.py BYTES  (of memory that it may take)
"""

import resource
import sys

from asteroid_xscheme.models import BridgedModel
from asteroid_xscheme.weights import CheckpointError


def answer(path: str) -> str:
    """What comes of a file: "loaded", or the refusal."""
    try:
        model = BridgedModel.from_pretrained(path)
    except CheckpointError as error:
        return repr(str(error))
    assert all(value.isfinite().all() for value in model.state_dict().values())
    return "loaded"


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
    for line in sys.stdin:
        print(answer(line.rstrip("\n")), flush=True)

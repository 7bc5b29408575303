"""The valid ranges of numeric separation options, for Python and the command line."""

import math
from typing import Callable, Dict, Optional, Tuple

from .errors import SeparationError

_MOST = 2**31  # of frames or chunks
_MOST_SHIFTS = 100  # each shift separates the whole song once more

#: by option: the expected values in words, and a function that checks one
RANGES: Dict[str, Tuple[str, Callable[[float], bool]]] = {
    "start": ("a finite time of 0 s or more", lambda x: 0 <= x < math.inf),
    "duration": ("a finite time above 0 s", lambda x: 0 < x < math.inf),
    "chunk_seconds": ("a finite length above 0 s", lambda x: 0 < x < math.inf),
    "overlap": ("a fraction of a chunk from 0 to 0.5", lambda x: 0 <= x <= 0.5),
    "wiener_iterations": ("0 iterations or more", lambda x: 0 <= x),
    "wiener_window": (f"0 to {_MOST} frames", lambda x: 0 <= x <= _MOST),
    "shifts": (f"1 to {_MOST_SHIFTS} shifts", lambda x: 1 <= x <= _MOST_SHIFTS),
    "batch_size": (f"1 to {_MOST} chunks", lambda x: 1 <= x <= _MOST),
}


def check_option(option: str, value: Optional[float], name: Optional[str] = None) -> None:
    """Check the value of an option.

    Args:
        option: A key of `RANGES`.
        value: Its value; None is always valid.
        name: Name of the option in the message, if different.

    Raises:
        SeparationError: If the value is invalid.
    """
    expected, is_valid = RANGES[option]
    if value is not None and not is_valid(value):
        raise SeparationError(f"{name or option}: expected {expected}, got {value}.")

"""The valid ranges of numeric separation options, for Python and the command line."""

import math
from typing import Callable, Dict, Optional, Tuple

from .errors import SeparationError

_MOST = 2**31  # of frames or chunks
_MOST_SHIFTS = 100  # each shift separates the whole song once more

#: by option: the expected values in words, and a function that checks one
LAWS: Dict[str, Tuple[str, Callable[[float], bool]]] = {
    "start": ("0 seconds or more, finite", lambda x: 0 <= x < math.inf),
    "duration": ("more than 0 seconds, finite", lambda x: 0 < x < math.inf),
    "chunk_seconds": ("a chunk longer than 0 seconds, finite", lambda x: 0 < x < math.inf),
    "overlap": ("an overlap of 0 to 0.5 of a chunk", lambda x: 0 <= x <= 0.5),
    "wiener_iterations": ("Wiener iterations of 0 or more", lambda x: 0 <= x),
    "wiener_window": ("a Wiener window of 0 frames or more", lambda x: 0 <= x <= _MOST),
    "shifts": (f"1 shift or more, at most {_MOST_SHIFTS}", lambda x: 1 <= x <= _MOST_SHIFTS),
    "batch_size": ("a batch of 1 chunk or more", lambda x: 1 <= x <= _MOST),
}


def check_option(option: str, value: Optional[float], name: Optional[str] = None) -> None:
    """Check the value of an option.

    Args:
        option: A key of `LAWS`.
        value: Its value; None is always valid.
        name: Name of the option in the message, if different.

    Raises:
        SeparationError: If the value is invalid.
    """
    expected, is_right = LAWS[option]
    if value is not None and not is_right(value):
        raise SeparationError(f"{name or option}: expected {expected}, got {value}.")

"""Checksums of files in the form "md5:...", "sha1:..." or "sha256:..."."""

import hashlib
from pathlib import Path
from typing import Tuple, Union

_BLOCK = 1 << 16  # bytes read at a time
_ALGORITHMS = {32: "md5", 40: "sha1", 64: "sha256"}  # by the number of hexadecimal digits


def check_file(path: Union[str, Path], checksum: str) -> bool:
    """Whether a file matches a checksum, which is written as for :func:`download`.

    Raises:
        ValueError: If the checksum is malformed.
        OSError: If the file cannot be read.
    """
    algorithm, digits = parse_checksum(checksum)
    return compute_checksum(path, algorithm) == f"{algorithm}:{digits}"


def compute_checksum(path: Union[str, Path], algorithm: str = "sha256") -> str:
    """Compute the checksum of a file, e.g. "sha256:<digits>".

    Args:
        path: The file.
        algorithm: "md5", "sha1" or "sha256".

    Raises:
        OSError: If the file cannot be read.
    """
    digest = hashlib.new(algorithm)
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return f"{algorithm}:{digest.hexdigest()}"


def parse_checksum(checksum: str) -> Tuple[str, str]:
    """Split a checksum into algorithm and digits; the prefix is optional.

    Raises:
        ValueError: If the checksum is malformed.
    """
    name, _, digits = checksum.lower().rpartition(":")
    algorithm = _ALGORITHMS.get(len(digits))
    if algorithm is None or name not in ("", algorithm):
        raise ValueError(
            "Expected a checksum such as md5:<32>, sha1:<40> or sha256:<64 digits>, got "
            f"{checksum!r}."
        )
    return algorithm, digits

"""Load the package at a URL, downloading it once into asteroid's cache.

The layout is exactly asteroid's (a folder named after the URL's sha256, with a file `model.pth`),
so that neither package downloads a file that the other already has. If no checksum is published,
the checksum of the first download is recorded in `model.pth.sha256` next to the file; later copies
have to match it.
"""

import hashlib
import logging
import os
import re
from pathlib import Path
from typing import Any, Dict, List, Optional

from ..download import DownloadError, RefusedError, check_file, compute_checksum, download
from .diagnosis import CheckpointError, DamagedFileError
from .files import read_package

_logger = logging.getLogger(__name__)
_ZENODO_FILE = re.compile(r"(https?://[^/]+)/records?/(\d+)/files/([^?]+)(\?download=1)?")


def cache_dir() -> Path:
    """asteroid's cache of weights: $ASTEROID_CACHE, or ~/.cache/torch/asteroid."""
    return Path(os.getenv("ASTEROID_CACHE") or "~/.cache/torch/asteroid").expanduser()


def find_cached(url: str) -> Optional[Path]:
    """Find the file of a URL in the cache, under any spelling of the URL; None if missing."""
    paths = (_cache_path(spelling) for spelling in _spellings(url))
    return next((path for path in paths if path.is_file()), None)


def recorded_checksum(url: str) -> Optional[str]:
    """The checksum recorded when the file of a URL was first downloaded, or None."""
    records = (_record_path(_cache_path(spelling)) for spelling in _spellings(url))
    record = next((path for path in records if path.is_file()), None)
    return record.read_text().strip() if record else None


def load_url(
    url: str,
    *,
    checksum: Optional[str] = None,
    offline: bool = False,
    retries: int = 5,
    backoff: float = 1.0,
) -> Dict[str, Any]:
    """Load the package at a URL, from the cache if it is there.

    Args:
        url: http or https. For Zenodo, if the server refuses the given form of the URL
            (record/ID/files/F?download=1 or records/ID/files/F), the other is tried.
        checksum: The published one, as for `download`; None for the recorded one, if any.
        offline: Use the cache only.
        retries: See `download`.
        backoff: See `download`.

    Returns:
        The package, as from `read_package`.

    Raises:
        CheckpointError: If the file cannot be downloaded or used; the message says what to do.
    """
    known = checksum or recorded_checksum(url)
    cached = find_cached(url)
    if cached is not None:
        package = _read_cached(cached, known, offline)
        if package is not None:
            if known is None:
                _record(cached)
            return package
    path = _fetch(url, known, offline, retries, backoff)
    package = _read_fetched(path, url)
    if known is None:
        _record(path)
    return package


def _spellings(url: str) -> List[str]:
    """All URLs of the same file, the given one first."""
    match = _ZENODO_FILE.fullmatch(url)
    if not match:
        return [url]
    host, record, file, _ = match.groups()
    others = [
        f"{host}/{records}/{record}/files/{file}{query}"
        for records, query in (("records", ""), ("record", "?download=1"))
    ]
    others += [f"{host}/records/{record}/files/{file}?download=1"]
    others += [f"{host}/record/{record}/files/{file}"]
    return list(dict.fromkeys([url, *others]))


def _cache_path(url: str) -> Path:
    return cache_dir() / hashlib.sha256(url.encode()).hexdigest() / "model.pth"


def _record_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _record(path: Path) -> None:
    """Record the checksum of a cached file; a shared cache may be read-only."""
    if not os.access(path.parent, os.W_OK):
        return
    checksum = compute_checksum(path)
    _record_path(path).write_text(f"{checksum}\n")
    _logger.info("No checksum is published for %s: recorded %s from this copy.", path, checksum)


def _read_cached(path: Path, checksum: Optional[str], offline: bool) -> Optional[Dict[str, Any]]:
    """The package in a cached file, or None if it was damaged and can be downloaded again."""
    try:
        if checksum and not check_file(path, checksum):
            raise DamagedFileError(f"{path} does not match its checksum {checksum}: it is damaged.")
        return read_package(path)
    except DamagedFileError as error:
        if offline:
            raise CheckpointError(
                f"The cached file is damaged, and downloads are off (offline). {error} Go online "
                "once to download it again."
            ) from error
        _logger.warning("The cached file is damaged and is downloaded again. %s", error)
        path.unlink()
        return None


def _fetch(url: str, checksum: Optional[str], offline: bool, retries: int, backoff: float) -> Path:
    """Download into the cache, trying the first two spellings of the URL."""
    target = _cache_path(url)
    refusals = []
    for address in _spellings(url)[: 1 if offline else 2]:
        try:
            return download(
                address,
                target,
                checksum=checksum,
                retries=retries,
                backoff=backoff,
                offline=offline,
            )
        except RefusedError as error:
            refusals.append(error)
        except DownloadError as error:
            raise CheckpointError(str(error)) from error
        except OSError as error:
            raise CheckpointError(
                f"The cache cannot be written ({error}). Set the environment variable "
                "ASTEROID_CACHE to a folder that you can write to."
            ) from error
    raise CheckpointError(" ".join(map(str, refusals))) from refusals[-1]


def _read_fetched(path: Path, url: str) -> Dict[str, Any]:
    """The package in a new download, which is removed from the cache if it cannot be used."""
    try:
        return read_package(path)
    except CheckpointError as error:
        path.unlink(missing_ok=True)
        raise type(error)(f"The download from {url} cannot be used. {error}") from error

"""One URL -> one complete, checked file: interrupted transfers continue, failures say what to do.

The body goes to `NAME.part` beside the target and becomes the target only when it is complete and
its checksum is right, so that a target that exists is whole, whenever the process was killed.
"""

import logging
import time
from pathlib import Path
from typing import Optional, Union

from filelock import FileLock

from .attempt import Interrupted, attempt
from .checksum import check_file, parse_checksum
from .part import DownloadError, Part

_logger = logging.getLogger(__name__)
_LONGEST_PAUSE = 60.0  # seconds between two attempts


def download(
    url: str,
    target: Union[str, Path],
    *,
    checksum: Optional[str] = None,
    progress: bool = True,
    retries: int = 5,
    backoff: float = 1.0,
    timeout: float = 30.0,
    offline: bool = False,
) -> Path:
    """Fetch a file, unless it is there already.

    Args:
        url: Address, http or https.
        target: Path of the file; its folder is made. A file that exists is returned as it is.
        checksum: "md5:...", "sha1:..." or "sha256:..." in hexadecimal digits (the name may be left
            out), checked before the file takes its name. None accepts what comes.
        progress: Whether to show a bar, on a terminal only.
        retries: Attempts after the first one that may fail in a row without a byte received.
        backoff: Seconds before the second attempt; doubled for each further one, at most 60 s.
        timeout: Seconds without a byte after which an attempt has failed.
        offline: Whether to use only what is there, and never the network.

    Returns:
        `target`, a complete file.

    Raises:
        DownloadError: If the file cannot be had. What was received stays in `NAME.part`, and the
            next call continues there if a checksum or the server's ETag can tell that it is the
            same file.
    """
    target = Path(target).expanduser()
    if checksum is not None:
        parse_checksum(checksum)  # a wrong one is told before the transfer
    if target.exists():
        return target
    if offline:
        raise DownloadError(
            f"{target} is not there, and downloads are off (offline). Go online once, or fetch "
            f"{url} on another machine and put it there."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(f".{target.name}.lock")):
        if not target.exists():  # another process may have fetched it while this one waited
            part = Part(target, url, resumable=checksum is not None)
            stale = part.size > 0
            _fetch(part, progress, retries, backoff, timeout)
            if stale and not _is_right(part, checksum):
                part.discard()  # it was begun when another file stood at the address
                _fetch(part, progress, retries, backoff, timeout)
            _finish(part, checksum)
    return target


def _fetch(part: Part, progress: bool, retries: int, backoff: float, timeout: float) -> None:
    failures, furthest = 0, part.size
    while True:
        try:
            return attempt(part, progress, timeout)
        except Interrupted as interruption:
            failures = 1 if part.size > furthest else failures + 1
            furthest = max(furthest, part.size)
            if failures > retries:
                raise DownloadError(
                    f"{part.url} could not be fetched in {failures} attempts: {interruption}. "
                    "Check the network and the proxy settings and try again (it continues where "
                    f"it stopped), or fetch it by hand and put it at {part.target}."
                ) from interruption
            pause = min(interruption.pause or backoff * 2 ** (failures - 1), _LONGEST_PAUSE)
            _logger.warning(
                "%s: %s. Trying again in %.3g s (attempt %d of %d).",
                *(part.url, interruption, pause, failures + 1, retries + 1),
            )
            time.sleep(pause)


def _is_right(part: Part, checksum: Optional[str]) -> bool:
    return checksum is None or check_file(part.path, checksum)


def _finish(part: Part, checksum: Optional[str]) -> None:
    if not _is_right(part, checksum):
        part.discard()
        raise DownloadError(
            f"{part.url}: the download does not match the checksum {checksum}. It was deleted; "
            "try again. If it fails again, the file at that address has changed."
        )
    part.complete()

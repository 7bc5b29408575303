"""Download a URL to one complete, checked file; interrupted downloads resume.

The file is downloaded to `NAME.part` and renamed once it is complete and its checksum matches. So
an existing target is always complete, even if the process was killed.
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
    """Download a file, unless it already exists.

    Args:
        url: http or https.
        target: Path of the file; missing folders are created. An existing file is not downloaded
            again.
        checksum: "md5:...", "sha1:..." or "sha256:..." in hexadecimal digits (the prefix is
            optional), checked before the file is renamed. None accepts any content.
        progress: Show a progress bar, if the output is a terminal.
        retries: Number of further attempts after the first; any progress resets the count.
        backoff: Seconds before the second attempt; doubled each time, up to 60 s.
        timeout: Seconds without any data after which an attempt fails.
        offline: Use only existing files and never the network.

    Returns:
        `target`, a complete file.

    Raises:
        DownloadError: If the download fails. The received bytes stay in `NAME.part`, and the next
            call resumes there if a checksum or the server's ETag shows that it is the same file.
        ValueError: If the checksum is malformed.
    """
    target = Path(target).expanduser()
    if checksum is not None:
        parse_checksum(checksum)  # raises before the transfer if it is malformed
    if target.exists():
        return target
    if offline:
        raise DownloadError(
            f"{target} does not exist, and downloads are off (offline). Go online once, or "
            f"download {url} on another machine and put it there."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(f".{target.name}.lock")):
        if not target.exists():  # another process may have downloaded it meanwhile
            part = Part(target, url, resumable=checksum is not None)
            stale = part.size > 0
            _fetch(part, progress, retries, backoff, timeout)
            if stale and not _is_right(part, checksum):
                part.discard()  # it was started from an older file at this URL
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
                    f"{part.url} could not be downloaded in {failures} attempts: {interruption}. "
                    "Check the network and the proxy settings and try again (it resumes where "
                    f"it stopped), or download it by hand to {part.target}."
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
            "try again. If it fails again, the file at that URL has changed."
        )
    part.complete()

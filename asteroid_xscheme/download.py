"""One URL -> one complete, checked file: interrupted transfers continue, failures say what to do.

The body goes to `NAME.part` beside the target and becomes the target only when it is complete and
its checksum is right, so that a target that exists is whole, whenever the process was killed.
"""

import contextlib
import errno
import hashlib
import logging
import os
import shutil
import time
from pathlib import Path
from typing import Iterator, Optional, Tuple, Union

import requests
from filelock import FileLock
from tqdm import tqdm

from .errors import XSchemeError

_logger = logging.getLogger(__name__)
_BLOCK = 1 << 16  # bytes read at a time; as many are lost when the connection breaks
_CONNECT_SECONDS = 10.0
_LONGEST_PAUSE = 60.0  # seconds between two attempts
_ALGORITHMS = {32: "md5", 40: "sha1", 64: "sha256"}  # by the number of hexadecimal digits


class DownloadError(XSchemeError):
    """A file could not be had; the message says why and what to do about it."""


class RefusedError(DownloadError):
    """The server answers and does not give the file: another address may have it."""


class _Interrupted(Exception):
    """The transfer failed in a way that another attempt may mend."""

    def __init__(self, reason: str, pause: Optional[float] = None):
        super().__init__(reason)
        self.pause = pause


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
        _parse_checksum(checksum)  # a wrong one is told before the transfer
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
            part = _Part(target, url, resumable=checksum is not None)
            stale = part.size > 0
            _fetch(part, progress, retries, backoff, timeout)
            if stale and not _is_right(part, checksum):
                part.discard()  # it was begun when another file stood at the address
                _fetch(part, progress, retries, backoff, timeout)
            _finish(part, checksum)
    return target


def check_file(path: Union[str, Path], checksum: str) -> bool:
    """Whether a file has a checksum, written as for :func:`download`."""
    algorithm, digits = _parse_checksum(checksum)
    return compute_checksum(path, algorithm) == f"{algorithm}:{digits}"


def compute_checksum(path: Union[str, Path], algorithm: str = "sha256") -> str:
    """The checksum of a file as "sha256:<digits>", or by another algorithm."""
    digest = hashlib.new(algorithm)
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return f"{algorithm}:{digest.hexdigest()}"


class _Part:
    """The unfinished file of one target, and the ETag of what it is a part of."""

    def __init__(self, target: Path, url: str, resumable: bool):
        self.target, self.url, self.resumable = target, url, resumable
        self.path = target.with_name(f"{target.name}.part")
        self._tag_path = target.with_name(f"{target.name}.part.etag")
        if self.size and not resumable and self.tag is None:
            self.discard()

    @property
    def size(self) -> int:
        """Bytes received so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def tag(self) -> Optional[str]:
        """The server's strong ETag of the file that the part belongs to."""
        return self._tag_path.read_text() if self._tag_path.exists() else None

    def start(self, etag: str) -> None:
        """Begin at the first byte of a file with this ETag."""
        self.discard()
        if etag and not etag.startswith("W/"):
            self._tag_path.write_text(etag)

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self._tag_path.unlink(missing_ok=True)

    def complete(self) -> None:
        os.replace(self.path, self.target)
        self._tag_path.unlink(missing_ok=True)


def _fetch(part: _Part, progress: bool, retries: int, backoff: float, timeout: float) -> None:
    failures, furthest = 0, part.size
    while True:
        try:
            return _attempt(part, progress, timeout)
        except _Interrupted as interruption:
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


def _attempt(part: _Part, progress: bool, timeout: float) -> None:
    """One request for all that is missing."""
    headers = {"Accept-Encoding": "identity"}
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
        if part.tag:
            headers["If-Range"] = part.tag
    try:
        limits = (_CONNECT_SECONDS, timeout)
        with requests.get(part.url, headers=headers, stream=True, timeout=limits) as response:
            if response.status_code == 416 and part.size:
                return _settle_unsatisfiable_range(part, response)
            _check_response(part, response)
            if not _continues(part, response):
                part.start(response.headers.get("ETag", ""))
            _write_body(part, response, progress)
    except (requests.ConnectionError, requests.Timeout) as error:
        raise _Interrupted(f"no connection ({type(error).__name__})") from error
    except requests.exceptions.ChunkedEncodingError as error:
        raise _Interrupted("the connection broke") from error
    except (requests.RequestException, ValueError) as error:  # ValueError: of a host in the URL
        if isinstance(error, XSchemeError):
            raise
        reason = str(error).partition("\n")[0]
        raise DownloadError(f"{part.url} cannot be requested: {reason}") from error


def _settle_unsatisfiable_range(part: _Part, response: requests.Response) -> None:
    """The server has no byte after ours: the part is complete, or of another file."""
    if response.headers.get("Content-Range") == f"bytes */{part.size}":
        return
    part.discard()
    raise _Interrupted("what was there belongs to another version of the file")


def _continues(part: _Part, response: requests.Response) -> bool:
    """Whether the body begins where the part ends, and not at the first byte."""
    if response.status_code != 206:
        return False
    start = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    if start == str(part.size):
        return True
    part.discard()
    raise _Interrupted("the server sent another range than it was asked for")


def _check_response(part: _Part, response: requests.Response) -> None:
    status = response.status_code
    by_hand = f"Fetch it by hand and put it at {part.target}."
    if status in (401, 403):
        raise RefusedError(
            f"{part.url}: access denied ({status}). The file may ask for a login or for terms to "
            f"be accepted in a browser, or this network may be blocked. {by_hand}"
        )
    if status in (404, 410):
        raise RefusedError(f"{part.url}: not there ({status}); it may have moved. {by_hand}")
    if status == 429 or status >= 500:
        seconds = response.headers.get("Retry-After", "")
        raise _Interrupted(
            f"the server answered {status}", pause=float(seconds) if seconds.isdigit() else None
        )
    if status not in (200, 206):
        raise RefusedError(f"{part.url}: unexpected answer {status} {response.reason}. {by_hand}")
    kind = response.headers.get("Content-Type", "").lower()
    if kind.startswith("text/html"):
        raise _web_page_error(part)


def _web_page_error(part: _Part) -> RefusedError:
    return RefusedError(
        f"{part.url}: a web page came instead of the file: a login, or the sign-in page of this "
        f"network. Open the address in a browser, fetch the file and put it at {part.target}."
    )


def _write_body(part: _Part, response: requests.Response, progress: bool) -> None:
    expected = _total_size(part, response)
    largest = _largest_size(part, expected)
    bar = tqdm(
        total=expected,
        initial=part.size,
        unit="B",
        unit_scale=True,
        desc=part.target.name,
        disable=None if progress else True,
    )
    with bar, _disk_errors(part), open(part.path, "ab") as file:
        for block in response.iter_content(_BLOCK):
            if file.tell() == 0 and block.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")):
                raise _web_page_error(part)
            file.write(block)
            bar.update(len(block))
            if file.tell() > largest:
                raise _endless_error(part, largest)
    if expected is not None and part.size < expected:
        raise _Interrupted(f"only {part.size} of {expected} bytes came")


def _total_size(part: _Part, response: requests.Response) -> Optional[int]:
    """Bytes of the whole file, if the server tells; of a packed body it tells another number."""
    length = response.headers.get("Content-Length", "")
    packed = response.headers.get("Content-Encoding", "identity") != "identity"
    return part.size + int(length) if length.isdigit() and not packed else None


def _largest_size(part: _Part, expected: Optional[int]) -> int:
    """Bytes that the file may have: as many as announced, else half of what is free.

    Raises:
        DownloadError: If more are announced than are free.
    """
    folder = part.target.parent
    free = shutil.disk_usage(folder).free
    if expected is None:
        return part.size + free // 2
    if (missing := expected - part.size) > free:
        raise DownloadError(
            f"{part.url} needs {missing / 1e6:.0f} MB in {folder}, where {free / 1e6:.0f} MB are "
            "free. Make room or choose another folder."
        )
    return expected


def _endless_error(part: _Part, largest: int) -> DownloadError:
    part.discard()
    return DownloadError(
        f"{part.url} was stopped: more than {largest / 1e6:.0f} MB came, which is more than the "
        "server announced or half of the free disk. What came was deleted. Check the address."
    )


@contextlib.contextmanager
def _disk_errors(part: _Part) -> Iterator[None]:
    """Tell a disk that is full from a network that is broken."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DownloadError(
            f"The disk of {part.target.parent} is full. Make room and try again: {part.path.name} "
            "is kept and continued."
        ) from error


def _is_right(part: _Part, checksum: Optional[str]) -> bool:
    return checksum is None or check_file(part.path, checksum)


def _finish(part: _Part, checksum: Optional[str]) -> None:
    if not _is_right(part, checksum):
        part.discard()
        raise DownloadError(
            f"{part.url}: the download does not match the checksum {checksum}. It was deleted; "
            "try again. If it fails again, the file at that address has changed."
        )
    part.complete()


def _parse_checksum(checksum: str) -> Tuple[str, str]:
    """("md5", digits) of "md5:digits" or of digits alone."""
    name, _, digits = checksum.lower().rpartition(":")
    algorithm = _ALGORITHMS.get(len(digits))
    if algorithm is None or name not in ("", algorithm):
        raise ValueError(
            f"Expected a checksum as md5:<32>, sha1:<40> or sha256:<64 digits>, got {checksum!r}."
        )
    return algorithm, digits

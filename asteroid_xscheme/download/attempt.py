"""One attempt to complete a partial download: request the rest, check the response, append it."""

import contextlib
import errno
import shutil
from typing import Iterator, Optional

import requests
from tqdm import tqdm

from ..errors import XSchemeError
from .part import DownloadError, Part, RefusedError

_BLOCK = 1 << 16  # bytes read at a time; at most this much is lost if the connection breaks
_CONNECT_SECONDS = 10.0


class Interrupted(Exception):
    """A transfer failed, but another attempt may succeed.

    Attributes:
        pause: Seconds to wait as the server asked; None if it did not.
    """

    def __init__(self, reason: str, pause: Optional[float] = None):
        super().__init__(reason)
        self.pause = pause


def attempt(part: Part, progress: bool, timeout: float) -> None:
    """Request everything that a partial download is missing, and append it.

    Args:
        part: The partial download.
        progress: Show a progress bar.
        timeout: Seconds without any data after which the attempt fails.

    Raises:
        Interrupted: If another attempt may succeed.
        DownloadError: If it cannot.
    """
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
        raise Interrupted(f"no connection ({type(error).__name__})") from error
    except requests.exceptions.ChunkedEncodingError as error:
        raise Interrupted("the connection was lost") from error
    except (requests.RequestException, ValueError) as error:  # ValueError: invalid host in the URL
        if isinstance(error, XSchemeError):
            raise
        reason = str(error).partition("\n")[0]
        raise DownloadError(f"{part.url} cannot be requested: {reason}") from error


def _settle_unsatisfiable_range(part: Part, response: requests.Response) -> None:
    """Handle status 416: the part is complete, or belongs to another version of the file."""
    if response.headers.get("Content-Range") == f"bytes */{part.size}":
        return
    part.discard()
    raise Interrupted("the partial download belongs to another version of the file")


def _continues(part: Part, response: requests.Response) -> bool:
    """Whether the response continues the part rather than starting at the first byte."""
    if response.status_code != 206:
        return False
    start = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    if start == str(part.size):
        return True
    part.discard()
    raise Interrupted("the server sent a different range than requested")


def _check_response(part: Part, response: requests.Response) -> None:
    status = response.status_code
    by_hand = f"Download it by hand to {part.target}."
    if status in (401, 403):
        raise RefusedError(
            f"{part.url}: access denied ({status}). You may have to log in or accept terms in a "
            f"browser, or the server may be blocking this network. {by_hand}"
        )
    if status in (404, 410):
        raise RefusedError(f"{part.url}: not found ({status}); it may have moved. {by_hand}")
    if status == 429 or status >= 500:
        seconds = response.headers.get("Retry-After", "")
        raise Interrupted(
            f"the server answered {status}", pause=float(seconds) if seconds.isdigit() else None
        )
    if status not in (200, 206):
        raise RefusedError(f"{part.url}: unexpected response {status} {response.reason}. {by_hand}")
    kind = response.headers.get("Content-Type", "").lower()
    if kind.startswith("text/html"):
        raise _web_page_error(part)


def _web_page_error(part: Part) -> RefusedError:
    return RefusedError(
        f"{part.url}: the server sent a web page instead of the file, perhaps a login page or this "
        f"network's sign-in page. Open the URL in a browser, download the file and save it as "
        f"{part.target}."
    )


def _write_body(part: Part, response: requests.Response, progress: bool) -> None:
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
        raise Interrupted(f"only {part.size} of {expected} bytes were received")


def _total_size(part: Part, response: requests.Response) -> Optional[int]:
    """Size of the whole file in bytes; None if unknown, as for a compressed response."""
    length = response.headers.get("Content-Length", "")
    packed = response.headers.get("Content-Encoding", "identity") != "identity"
    return part.size + int(length) if length.isdigit() and not packed else None


def _largest_size(part: Part, expected: Optional[int]) -> int:
    """Maximum size of the file in bytes: the announced size, or else half of the free disk space.

    Raises:
        DownloadError: If the file does not fit on the disk.
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


def _endless_error(part: Part, largest: int) -> DownloadError:
    part.discard()
    return DownloadError(
        f"{part.url} was stopped after {largest / 1e6:.0f} MB: the server sent more than it "
        "announced, or the file would take more than half of the free disk space. The partial "
        "file was deleted. Check the URL."
    )


@contextlib.contextmanager
def _disk_errors(part: Part) -> Iterator[None]:
    """Report a full disk as such, not as a network failure."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DownloadError(
            f"The disk of {part.target.parent} is full. Make room and try again: the download will "
            f"resume from {part.path.name}."
        ) from error

"""The unfinished file of a download, which a later attempt or run continues."""

import os
from pathlib import Path
from typing import Optional

from ..errors import XSchemeError


class DownloadError(XSchemeError):
    """A file could not be downloaded; the message says why and what to do."""


class RefusedError(DownloadError):
    """The server refused to send the file; another address may have it."""


class Part:
    """The partial download of a target, and the ETag of the complete file."""

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

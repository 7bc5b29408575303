"""Partial downloads, which a later attempt or process can continue."""

import os
from pathlib import Path
from typing import Optional

from ..errors import XSchemeError


class DownloadError(XSchemeError):
    """A file could not be downloaded; the message says why and what to do."""


class RefusedError(DownloadError):
    """The server refused to send the file; another URL may have it."""


class Part:
    """A partial download in `NAME.part`, with the ETag of the complete file next to it.

    Args:
        target: Path of the complete file.
        url: URL of the file.
        resumable: Whether an existing part may be continued without an ETag, because a checksum
            will be verified.
    """

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
        """The strong ETag of the complete file; None if the server sent none."""
        return self._tag_path.read_text() if self._tag_path.exists() else None

    def start(self, etag: str) -> None:
        """Start again at the first byte of a file with this ETag."""
        self.discard()
        if etag and not etag.startswith("W/"):
            self._tag_path.write_text(etag)

    def discard(self) -> None:
        """Delete the partial download."""
        self.path.unlink(missing_ok=True)
        self._tag_path.unlink(missing_ok=True)

    def complete(self) -> None:
        """Rename the partial download to its target."""
        os.replace(self.path, self.target)
        self._tag_path.unlink(missing_ok=True)

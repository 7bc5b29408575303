"""Download a URL to one complete, checked file."""

from .checksum import check_file, compute_checksum
from .fetching import download
from .part import DownloadError, RefusedError

__all__ = ["DownloadError", "RefusedError", "check_file", "compute_checksum", "download"]

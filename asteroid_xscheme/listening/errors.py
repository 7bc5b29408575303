"""The one error of this room."""

from ..errors import XSchemeError


class ListeningError(XSchemeError):
    """There is nothing to write a page of, or no place for it; the message says why in one line."""

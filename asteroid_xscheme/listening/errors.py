"""The exception of this package."""

from ..errors import XSchemeError


class ListeningError(XSchemeError):
    """A page cannot be written; the message says why in one line."""

"""The exception of this package."""

from ..errors import XSchemeError


class AudioError(XSchemeError):
    """A file cannot be read or written as audio; the message names it and the reason."""

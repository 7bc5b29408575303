"""The one error of this room."""

from ..errors import XSchemeError


class AudioError(XSchemeError):
    """A file cannot be read, written or understood as audio; the message names it in one line."""

"""The exception of this package."""

from ..errors import XSchemeError


class SeparationError(XSchemeError):
    """A song cannot be separated as asked; the message says why in one line."""

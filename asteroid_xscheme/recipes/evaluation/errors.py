"""The one error of this room."""

from ...errors import XSchemeError


class ScoringError(XSchemeError):
    """Something cannot be scored; the message names the track or the file, and the remedy."""

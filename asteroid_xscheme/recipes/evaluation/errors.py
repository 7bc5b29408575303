"""The error that scoring raises."""

from ...errors import XSchemeError


class ScoringError(XSchemeError):
    """Something cannot be scored; the message names the track or file, and the remedy."""

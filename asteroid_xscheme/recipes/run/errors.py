"""What can go wrong in a training, in words."""

from ...errors import XSchemeError


class TrainingError(XSchemeError):
    """A training cannot go on, or what it left is of no use."""

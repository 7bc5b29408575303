"""The error that trainings raise."""

from ...errors import XSchemeError


class TrainingError(XSchemeError):
    """A training cannot continue, or its files cannot be used."""

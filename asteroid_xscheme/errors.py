"""The base class of our exceptions: problems that the caller can fix."""


class XSchemeError(ValueError):
    """Says in a sentence or two what was expected, what was found and what to do."""

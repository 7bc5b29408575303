"""The base class of this package's exceptions: problems that the caller can fix."""


class XSchemeError(ValueError):
    """A problem that the caller can fix: the message says what was expected, found, and to do."""

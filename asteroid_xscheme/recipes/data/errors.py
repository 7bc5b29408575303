"""The error that handling of data raises."""

from ...errors import XSchemeError


class DataError(XSchemeError):
    """A folder of songs is not as it should be; the message says what is wrong and the remedy."""

"""The one error of this room."""

from ...errors import XSchemeError


class DataError(XSchemeError):
    """A folder of songs is not as it has to be; the message names what is wrong and the remedy."""

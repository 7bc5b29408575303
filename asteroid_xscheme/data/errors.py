"""The one error of this room."""


class DataError(ValueError):
    """A folder of songs is not as it has to be; the message names what is wrong and the remedy."""

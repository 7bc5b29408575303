"""The one error of this room."""


class AudioError(ValueError):
    """A file cannot be read, written or understood as audio; the message names it in one line."""

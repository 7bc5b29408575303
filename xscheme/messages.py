"""What is said on the error stream: one line each, whatever names and errors hold."""

import unicodedata


def printable(text: str) -> str:
    """Text of one line: line breaks, control characters and bytes that are no UTF-8 escaped.

    >>> printable("a\\nb")
    'a\\\\nb'
    """
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in _BREAKING else c
        for c in text
    )


def message_of(error: Exception) -> str:
    """What an error says, beginning with its file if it is one of the system."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


_BREAKING = {"Cc", "Zl", "Zp"}  # Unicode's controls and separators of lines

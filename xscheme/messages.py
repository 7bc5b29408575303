"""Messages for the error stream, each on one line whatever characters it contains."""

import unicodedata


def printable(text: str) -> str:
    """Escape line breaks, control characters and invalid UTF-8, so that text stays on one line.

    >>> printable("a\\nb")
    'a\\\\nb'
    """
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in _BREAKING else c
        for c in text
    )


def message_of(error: Exception) -> str:
    """The message of an error; that of a system error starts with the file."""
    if isinstance(error, ModuleNotFoundError):
        return f"{error}: pip install 'asteroid_xscheme[recipes]' installs what all commands need"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


_BREAKING = {"Cc", "Zl", "Zp"}  # Unicode categories: controls, line and paragraph separators

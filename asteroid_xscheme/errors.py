"""The base class of this package's exceptions, and the line between a user's mistake and a bug."""

import errno

_OURS = ("asteroid_xscheme", "demo_songs", "xscheme")
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT)  # where the system often leaves out the file


class XSchemeError(ValueError):
    """A problem that the caller can fix: the message says what was expected, found, and to do."""


def is_mistake(error: BaseException) -> bool:
    """Whether the message of an error is all that a user needs to mend it.

    It is if the error is ours, if the system names a file, or if a package is not installed.
    Anything else is a bug.
    """
    if isinstance(error, ModuleNotFoundError):
        return str(error.name).partition(".")[0] not in _OURS
    if isinstance(error, OSError):
        return error.filename is not None or error.errno in _FULL_DISK
    return isinstance(error, XSchemeError)


def request_report(error: BaseException) -> str:
    """The line that follows the traceback of an error that is not a mistake."""
    name, reason = type(error).__name__, str(error).partition("\n")[0][:200]
    return (
        f"unexpected {name}{f' ({reason})' if reason else ''}; please report it with the traceback "
        "above and the output of `xscheme env`"
    )

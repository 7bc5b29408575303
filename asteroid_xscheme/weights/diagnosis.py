"""Identify a weights file by its first bytes, or describe what it looks like instead.

File names and suffixes are not trusted: caches call everything `model.pth`, and a web page that was
saved in place of a download has the name of the file.
"""

import contextlib
import struct
import zipfile
import zlib
from enum import Enum
from pathlib import Path
from typing import Iterator, Optional, Sequence, Tuple, Type, Union

from ..errors import XSchemeError

_HEAD_BYTES = 512
_HDF5 = b"\x89HDF\r\n\x1a\n"
_OTHER_KINDS = (  # (offset, bytes there, what the file looks like)
    (0, b"\x1f\x8b", "a gzip archive; unpack it first"),
    (0, b"BZh", "a bzip2 archive; unpack it first"),
    (0, b"7z\xbc\xaf", "a 7-zip archive; unpack it first"),
    (257, b"ustar", "a tar archive; unpack it first"),
    (8, b"WAVE", "audio (WAV)"),
    (0, b"fLaC", "audio (FLAC)"),
    (0, b"ID3", "audio (MP3)"),
    (0, b"OggS", "audio (Ogg)"),
    (4, b"ftyp", "audio or video (MP4)"),
    (0, b"\x89PNG", "a picture (PNG)"),
    (0, b"\xff\xd8\xff", "a picture (JPEG)"),
    (0, b"%PDF", "a PDF document"),
    (0, b"version https://git-lfs", "a Git LFS pointer; fetch the file itself with `git lfs pull`"),
)


# Exceptions that the readers raise when bytes are missing or changed.
_DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


class CheckpointError(XSchemeError):
    """Weights cannot be loaded or used; the message names the file, the reason and a remedy."""


class DamagedFileError(CheckpointError):
    """A file contains no readable weights: it is truncated, empty, a web page or something else."""


class Kind(Enum):
    """The format of a file according to its first bytes."""

    TORCH = "a file of torch.save"
    NNABLA = "HDF5, as NNabla writes"
    NNABLA_ZIP = "a zip of NNabla's .h5 files"
    SAFETENSORS = "safetensors"


@contextlib.contextmanager
def told_as_damage(path: Union[str, Path], *others: Type[Exception]) -> Iterator[None]:
    """Report errors that a reader raises in this block as damage to the file.

    Args:
        path: File, for the message.
        *others: Exceptions of this reader beyond those that damage commonly causes.

    Raises:
        DamagedFileError: With the first line of the error.
    """
    damage: Tuple[Type[Exception], ...] = (*_DAMAGE, *others)
    try:
        yield
    except CheckpointError:
        raise
    except damage as error:
        reason = str(error).strip().partition("\n")[0][:200] or type(error).__name__
        raise DamagedFileError(
            f"{path} is damaged or truncated ({reason}). Delete it and download it again."
        ) from error


def detect_kind(path: Path) -> Kind:
    """Identify a weights file by its first bytes.

    Raises:
        DamagedFileError: If it does not look like weights; the message says what it looks like.
    """
    with open(path, "rb") as file:
        head = file.read(_HEAD_BYTES)
    if head.startswith(_HDF5):
        return Kind.NNABLA
    if head.startswith(b"PK\x03\x04"):
        return _kind_of_zip(path)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 28:
        return Kind.SAFETENSORS
    if head[:1] == b"\x80" and head[1:2] <= b"\x05":  # a pickle: torch.save before version 1.6
        return Kind.TORCH
    raise DamagedFileError(
        f"{path} contains no weights: it looks like {_describe(head)}. Expected a .pth file of "
        "asteroid, a .safetensors file of this package, or an .h5 file of NNabla."
    )


def shorten(names: Sequence[str], n: int = 3) -> str:
    """Join the first n names and the number of the rest into one line, escaping control codes."""
    more = f" and {len(names) - n} more" if len(names) > n else ""
    line = f"{', '.join(names[:n])}{more}"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


def _kind_of_zip(path: Path) -> Kind:
    with told_as_damage(path, OSError):
        whole = zipfile.is_zipfile(path)
    if not whole:
        raise DamagedFileError(
            f"{path} is truncated: it begins like a file of torch.save, but its end is missing. "
            "Delete it and download it again."
        )
    with told_as_damage(path, OSError), zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if any(name.endswith("/constants.pkl") for name in names):
        raise DamagedFileError(
            f"{path} is a TorchScript program, not weights. Expected the weights that the program "
            "was made from."
        )
    if any(name.endswith("data.pkl") for name in names):
        return Kind.TORCH
    if any(name.endswith(".h5") for name in names):
        return Kind.NNABLA_ZIP
    raise DamagedFileError(
        f"{path} is a zip archive with neither torch.save's data nor .h5 files in it: it contains "
        f"{', '.join(names[:5]) or 'nothing'}."
    )


def _describe(head: bytes) -> str:
    """Describe in words what a file with these first bytes looks like."""
    if not head:
        return "an empty file"
    for offset, mark, words in _OTHER_KINDS:
        if head[offset : offset + len(mark)] == mark:
            return words
    text = _as_text(head)
    if text is None:
        return f"unknown data that begins with {head[:8].hex(' ')}"
    if text.lower().startswith(("<!doctype html", "<html", "<?xml")):
        return "a web page: an error or sign-in page was saved instead of the file"
    return f"text that begins with {text.splitlines()[0][:40]!r}" if text else "blank space"


def _as_text(head: bytes) -> Optional[str]:
    """The bytes as text, or None if they are not UTF-8; the last character may be incomplete."""
    if b"\x00" in head:
        return None
    for end in range(len(head), max(len(head) - 4, 0), -1):
        if _is_utf8(head[:end]):
            return head[:end].decode().strip()
    return None


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True

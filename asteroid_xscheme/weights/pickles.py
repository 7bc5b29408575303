"""A file of torch.save -> the object in it, without running anything that the file asks for.

A pickle is a program: to unpickle a file from a stranger is to run it. torch's `weights_only`
reader knows tensors and containers and refuses the rest; `_allowed` below is all that we add to
it, what old files of asteroid are known to hold besides tensors.
"""

import pickle
import pickletools
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any, List, Union

import numpy as np
import torch
from torch.torch_version import TorchVersion

from .diagnosis import CheckpointError, DamagedFileError

# What torch's reader is seen to raise when bytes are missing or changed.
_DAMAGE = (
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)
_PROTOCOL = 2  # of pickles that torch.save writes and its weights-only reader knows
_NUMBER_CODE = re.compile(r"b1|[iu][1248]|f[248]")  # as numpy writes types in files


def read_pickle(path: Path) -> Any:
    """The object that torch.save wrote, its tensors on the CPU.

    Raises:
        CheckpointError: If the file asks for anything but tensors, containers and plain values;
            the message says for what. Nothing of it has run.
        DamagedFileError: If the file is cut short or damaged.
    """
    program = _read_program(path)
    if program[:1] == b"\x80" and program[1] > _PROTOCOL:
        raise _refusal(path, _names_in(program) or [f"instructions of protocol {program[1]}"])
    try:
        with torch.serialization.safe_globals(_allowed()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        names = [named.group(1)] if named else _names_in(program)
        raise (_refusal(path, names) if names else _damage(path, error)) from error
    except _DAMAGE as error:
        raise _damage(path, error) from error


def _allowed() -> list:
    """What a file may ask for besides torch's own list, and what it gets.

    - TorchVersion: a string; asteroid's `serialize` stores `torch.__version__` as it is.
    - numpy's scalars: asteroid's X-UMX recipe stores `max_bin` as np.int64. They are read by
      functions of our own into plain numbers, so that nothing of numpy runs. Their address changed
      with numpy 2, and files keep the one they were written with.
    """
    return [
        TorchVersion,
        (_NumberType, "numpy.dtype"),
        (_read_number, "numpy.core.multiarray.scalar"),
        (_read_number, "numpy._core.multiarray.scalar"),
    ]


class _NumberType:
    """Stands for numpy.dtype of a number: its code, "i8", and from its state its byte order."""

    def __init__(self, code: str, *_: object):
        if not _NUMBER_CODE.fullmatch(code):
            raise pickle.UnpicklingError(
                f"GLOBAL numpy.dtype({code!r}) is not the type of a number"
            )
        self.code, self.order = code, "="

    def __setstate__(self, state: tuple) -> None:
        self.order = state[1]


def _read_number(number_type: _NumberType, data: bytes) -> Union[bool, int, float]:
    """The plain number of a numpy scalar."""
    dtype = np.dtype(number_type.order + number_type.code)
    return np.frombuffer(data, dtype, count=1)[0].item()


def _refusal(path: Path, names: List[str]) -> CheckpointError:
    return CheckpointError(
        f"{path} is refused: it asks to run {', '.join(names)}, and weights need no code. Nothing "
        "of it was run. Get the weights from their author as a package of plain values "
        "(`save_package`, or .safetensors)."
    )


def _damage(path: Path, error: Exception) -> DamagedFileError:
    reason = str(error).strip().partition("\n")[0][:200] or type(error).__name__
    return DamagedFileError(
        f"{path} is damaged or cut short ({reason}). Delete it and get it again."
    )


def _read_program(path: Path) -> bytes:
    """The instructions of the pickle in a file; before torch 1.6 the file is the pickle."""
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
            return archive.read(name)
    except (zipfile.BadZipFile, zlib.error) as error:
        raise _damage(path, error) from error


def _names_in(program: bytes) -> List[str]:
    """Names by any opcode; for STACK_GLOBAL (protocol 4) they are the last two strings."""
    names, strings = [], ["?", "?"]
    for opcode, argument, _ in _opcodes(program):
        if opcode.name in ("GLOBAL", "INST"):
            names.append(argument.replace(" ", "."))
        elif opcode.name == "STACK_GLOBAL":
            names.append(".".join(strings[-2:]))
        elif isinstance(argument, str):
            strings.append(argument)
    return sorted(set(names))


def _opcodes(program: bytes):
    """The instructions of a pickle, as far as they can be read."""
    try:
        yield from pickletools.genops(program)
    except ValueError:
        return  # damaged from here on: what was read is what can be told

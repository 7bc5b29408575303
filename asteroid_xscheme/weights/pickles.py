"""Read a pickle of any protocol without running arbitrary code.

A pickle is a program, and to unpickle a file is to run it. The machine here executes only
instructions that create numbers, strings, containers and tensors, and calls only the functions on
an allow-list.
"""

import pickletools
from typing import Any, BinaryIO, Callable, Dict, IO, List, Mapping, cast

LONGEST_PROGRAM = 1 << 24  # bytes; a large model needs a few hundred thousand
_LARGEST_NUMBER = 128  # bits; the largest that torch.save writes has 80
_KEY_TYPES = (str, int, float, bool, type(None))
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_ARGUMENTS = (  # instructions that push their argument onto the stack
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT UNICODE SHORT_BINUNICODE "
    "BINUNICODE BINUNICODE8 STRING BINSTRING SHORT_BINSTRING SHORT_BINBYTES BINBYTES BINBYTES8"
).split()


class ForbiddenNameError(Exception):
    """A pickle refers to a name that is not on the allow-list."""


class NumberType:
    """Stands for the numpy.dtype of a number: its code ("i8"), and its byte order ("<")."""

    def __init__(self, code: str):
        self.code, self.order = code, "="


class _Function:
    """A function that a pickle may call."""

    def __init__(self, call: Callable):
        self.call = call


class _Reader:
    """A file whose reads are limited to the bytes left, whatever size a pickle claims."""

    def __init__(self, file: BinaryIO, end: int):
        self._file, self._end = file, end
        self.tell = file.tell

    def read(self, n_bytes: int) -> bytes:
        return self._file.read(min(n_bytes, self._end - self._file.tell()))

    def readline(self) -> bytes:
        """The argument of a text instruction; torch never writes strings with escapes."""
        line = self._file.readline()
        if b"\\" in line:
            raise ValueError("a string with an escape")
        return line


def run_pickle(
    file: BinaryIO, end: int, known: Mapping[str, Any], load_storage: Callable[[Any], Any]
) -> Any:
    """Read the next pickle in a file.

    Args:
        file: File at the start of a pickle; afterwards it is at the end of the pickle.
        end: Number of bytes in the file.
        known: The allow-list: functions of this package and constants, by the name in the pickle.
        load_storage: Returns the object that a persistent id refers to.

    Returns:
        The object.

    Raises:
        ForbiddenNameError: If the pickle refers to a name that is not in `known`.
        Exception: If its instructions are damaged: any error that Python raises when a value is
            missing or of an unexpected type.
    """
    machine, begin = _Machine(known, load_storage), file.tell()
    for opcode, argument, position in pickletools.genops(cast(IO[bytes], _Reader(file, end))):
        if opcode.name == "STOP":
            return machine.stack.pop()
        if cast(int, position) - begin > LONGEST_PROGRAM:
            raise ValueError(f"its pickle is longer than {LONGEST_PROGRAM >> 20} MiB")
        machine.step(opcode.name, argument)
    raise EOFError("its pickle has no end")


class _Machine:
    """The stack, marks and memo of a pickle, and what its instructions do to them."""

    def __init__(self, known: Mapping[str, Any], load_storage: Callable[[Any], Any]):
        self.known, self.load_storage = known, load_storage
        self.stack: List[Any] = []
        self.marks: List[int] = []
        self.memory: Dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        """Execute one instruction."""
        if name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _ARGUMENTS:
            if isinstance(argument, int) and argument.bit_length() > _LARGEST_NUMBER:
                raise ValueError(f"a number of {argument.bit_length()} bits")
            self.stack.append(argument)
        elif name in _INSTRUCTIONS:
            _INSTRUCTIONS[name](self, argument)
        elif name not in ("PROTO", "FRAME"):
            raise ValueError(f"the instruction {name}, which does not make a plain value")

    def pop_mark(self, _: Any = None) -> List[Any]:
        mark = self.marks.pop()
        items = self.stack[mark:]
        del self.stack[mark:]
        return items

    def pop(self, n: int) -> List[Any]:
        if len(self.stack) < n:
            raise IndexError("its pickle uses a value that does not exist")
        items = self.stack[-n:]
        del self.stack[-n:]
        return items

    def push_tuple(self, n: int) -> None:
        self.stack.append(tuple(self.pop(n)))

    def extend(self, items: List[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise TypeError("its pickle appends to something that is not a list")
        self.stack[-1].extend(items)

    def update(self, items: List[Any]) -> None:
        if type(self.stack[-1]) is not dict:
            raise TypeError("its pickle sets an item of something that is not a dictionary")
        self.stack[-1].update(make_dict(zip(items[::2], items[1::2], strict=True)))

    def memorize(self, index: int) -> None:
        self.memory[index] = self.stack[-1]

    def find(self, name: str) -> None:
        if name not in self.known:
            raise ForbiddenNameError(name)
        found = self.known[name]
        self.stack.append(_Function(found) if callable(found) else found)

    def call(self, _: Any) -> None:
        function, arguments = self.pop(2)
        if type(function) is not _Function or type(arguments) is not tuple:
            raise TypeError("its pickle calls something that is not a function")
        self.stack.append(function.call(*arguments))

    def build(self, _: Any) -> None:
        """Set the state of an object; torch sets one on dictionaries, which is not needed."""
        target, state = self.pop(2)
        if type(target) is NumberType:
            target.order = state[1]
        elif type(target) is not dict:
            raise TypeError("its pickle sets the state of something that has none")
        self.stack.append(target)


def make_dict(pairs=()) -> Dict[Any, Any]:
    """Make a dictionary of pairs, with simple keys only: nested tuples can take forever to hash.

    Raises:
        TypeError: If a key has another type.
    """
    items = {}
    for key, value in pairs:
        if type(key) not in _KEY_TYPES:
            raise TypeError(f"a key of the type {type(key).__name__}")
        items[key] = value
    return items


_INSTRUCTIONS: Mapping[str, Callable[[_Machine, Any], Any]] = {
    "MARK": lambda machine, _: machine.marks.append(len(machine.stack)),
    "POP": lambda machine, _: machine.pop(1),
    "POP_MARK": _Machine.pop_mark,
    "DUP": lambda machine, _: machine.stack.append(machine.stack[-1]),
    "EMPTY_LIST": lambda machine, _: machine.stack.append([]),
    "EMPTY_DICT": lambda machine, _: machine.stack.append({}),
    "LIST": lambda machine, _: machine.stack.append(machine.pop_mark()),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.pop_mark())),
    "TUPLE1": lambda machine, _: machine.push_tuple(1),
    "TUPLE2": lambda machine, _: machine.push_tuple(2),
    "TUPLE3": lambda machine, _: machine.push_tuple(3),
    "APPEND": lambda machine, _: machine.extend(machine.pop(1)),
    "APPENDS": lambda machine, _: machine.extend(machine.pop_mark()),
    "SETITEM": lambda machine, _: machine.update(machine.pop(2)),
    "SETITEMS": lambda machine, _: machine.update(machine.pop_mark()),
    "PUT": _Machine.memorize,
    "BINPUT": _Machine.memorize,
    "LONG_BINPUT": _Machine.memorize,
    "MEMOIZE": lambda machine, _: machine.memorize(len(machine.memory)),
    "GET": lambda machine, index: machine.stack.append(machine.memory[index]),
    "BINGET": lambda machine, index: machine.stack.append(machine.memory[index]),
    "LONG_BINGET": lambda machine, index: machine.stack.append(machine.memory[index]),
    "GLOBAL": lambda machine, name: machine.find(name.replace(" ", ".")),
    "INST": lambda machine, name: machine.find(name.replace(" ", ".")),
    "STACK_GLOBAL": lambda machine, _: machine.find(".".join(machine.pop(2))),
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.call,
    "BUILD": _Machine.build,
    "BINPERSID": lambda machine, _: machine.stack.append(machine.load_storage(*machine.pop(1))),
}

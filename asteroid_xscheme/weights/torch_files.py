"""Read files that any version of torch.save wrote, without running code from them.

Since torch 1.6, such a file is a zip with a pickle, and a record for the numbers of each storage.
Older files are several pickles followed by the storages. Checksums of zip records are verified, and
memory is allocated by the actual size of the data, not the claimed one.
"""

import io
import math
import os
import re
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, Dict, Mapping, NamedTuple, Sequence, Tuple, Union, cast

import numpy as np
import torch

from .archives import open_archive, read_record
from .diagnosis import CheckpointError, told_as_damage
from .pickles import LONGEST_PROGRAM, ForbiddenNameError, NumberType, make_dict, run_pickle

_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of a file from before torch 1.6
_NUMBER_CODE = re.compile(r"b1|[iu][1248]|f[248]")  # numpy's codes of types
_STORAGE_TYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
}
_NEW_TYPES = ("uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2")  # no storage class


class Storage(NamedTuple):
    """The bytes of one or more tensors, and their declared type."""

    data: torch.UntypedStorage
    dtype: torch.dtype


def read_torch_file(path: Path) -> Any:
    """Read the object that torch.save wrote.

    Args:
        path: A file of any version of torch.

    Returns:
        Containers, plain values and tensors on the CPU.

    Raises:
        CheckpointError: If the file contains anything but tensors, containers and plain values;
            the message names it. No code has run.
        DamagedFileError: If the file is truncated or damaged.
    """
    try:
        with told_as_damage(path):
            return _read_zip(path) if zipfile.is_zipfile(path) else _read_old(path)
    except ForbiddenNameError as error:
        raise CheckpointError(
            f"{path} is refused: it asks to run {str(error)[:200]!s}, and weights need no code. "
            "Nothing was run. Ask the author for a file without code (written by `save_package`, "
            "or .safetensors)."
        ) from error


def _read_zip(path: Path) -> Any:
    with open_archive(path) as archive:
        records = {info.filename: info for info in archive.infolist()}
        name = next(name for name in records if name.endswith("data.pkl"))
        if records[name].file_size > LONGEST_PROGRAM:
            raise ValueError(f"its pickle is longer than {LONGEST_PROGRAM >> 20} MiB")
        program = archive.read(name)
        root = name.removesuffix("data.pkl")
        order = archive.read(f"{root}byteorder") if f"{root}byteorder" in records else b"little"
        storages: Dict[str, Storage] = {}

        def load_storage(persistent_id: Tuple) -> Storage:
            _, dtype, key, _, n_values = persistent_id[:5]
            if key not in storages:
                info = records[f"{root}data/{key}"]
                _check_storage(dtype, n_values, info.file_size)
                data = read_record(archive, info)
                if order == b"big":
                    data.byteswap(dtype)
                storages[key] = Storage(data, dtype)
            return Storage(storages[key].data, dtype)

        return run_pickle(io.BytesIO(program), len(program), _KNOWN, load_storage)


def _check_storage(dtype: torch.dtype, n_values: int, n_bytes: int) -> None:
    if n_values * dtype.itemsize != n_bytes:
        raise ValueError(f"{n_values} values of {dtype} in {n_bytes} bytes")


def _read_old(path: Path) -> Any:
    """Read the format before torch 1.6: magic number, version, system, object, keys, storages."""
    with open(path, "rb") as file:
        end = os.fstat(file.fileno()).st_size
        storages = _OldStorages(end)
        if run_pickle(file, end, _KNOWN, storages.load) != _MAGIC:
            raise ValueError("a pickle, but not one from torch.save")
        _, _, value, keys = (run_pickle(file, end, _KNOWN, storages.load) for _ in range(4))
        for key in keys:
            _fill(storages.by_key[key], file)
    return value


class _OldStorages:
    """Storages to be filled later in the file; together they cannot be larger than the file."""

    def __init__(self, n_bytes: int):
        self.by_key: Dict[str, Storage] = {}
        self._n_bytes = self._left = n_bytes

    def load(self, persistent_id: Tuple) -> Storage:
        _, dtype, key, _, n_values, view = persistent_id
        if view is not None:
            raise ValueError("its storages are views, as torch before 0.4 wrote them")
        if key not in self.by_key:
            n_bytes = n_values * dtype.itemsize
            if not 0 <= n_bytes <= self._left:
                raise ValueError(f"{n_values} values of {dtype} in {self._n_bytes} bytes")
            self._left -= n_bytes
            self.by_key[key] = Storage(torch.UntypedStorage(n_bytes), dtype)
        return Storage(self.by_key[key].data, dtype)


def _fill(storage: Storage, file: BinaryIO) -> None:
    """Read a storage: the number of its values, then the values."""
    _check_storage(storage.dtype, int.from_bytes(file.read(8), "little"), len(storage.data))
    if len(storage.data) == 0:
        return
    values = torch.empty(0, dtype=torch.uint8).set_(storage.data)
    if cast(io.BufferedIOBase, file).readinto(values.numpy().data) != len(values):
        raise EOFError("the numbers of a tensor are missing")


def _rebuild_tensor(
    storage: Storage, offset: int, size: Sequence[int], stride: Sequence[int], *rest: Any
) -> torch.Tensor:
    """Make a tensor on a storage; of `rest`, only the metadata of conjugates matters."""
    if len(rest) > 2 and rest[2]:
        raise ValueError("a tensor with the metadata of a conjugate")
    return _view(storage.data, storage.dtype, offset, size, stride)


def _rebuild_tensor_of_type(
    storage: Storage, offset, size, stride, grad, hooks, dtype: torch.dtype, metadata=None
) -> torch.Tensor:
    """Make a tensor of a type that is newer than torch's typed storages."""
    return _view(storage.data, dtype, offset, size, stride)


def _view(data: torch.UntypedStorage, dtype: torch.dtype, offset, size, stride) -> torch.Tensor:
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or not all(type(x) is int and x >= 0 for x in numbers):
        raise ValueError(f"a tensor of size {tuple(size)} and stride {tuple(stride)}")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride))
    if math.prod(size) and (last + 1) * dtype.itemsize > len(data):
        raise ValueError(f"a tensor of size {tuple(size)} in {len(data)} bytes")
    return torch.empty(0, dtype=dtype).set_(data, offset, size, stride)


def _number_type(code: str, *_: object) -> NumberType:
    if not _NUMBER_CODE.fullmatch(code):
        raise ForbiddenNameError(f"numpy.dtype({code!r})")
    return NumberType(code)


def _number(number_type: NumberType, data: bytes) -> Union[bool, int, float]:
    """The plain number that a numpy scalar holds."""
    dtype = np.dtype(number_type.order + number_type.code)
    return np.frombuffer(data, dtype, count=1)[0].item()


def _encode(text: str, encoding: str) -> bytes:
    """Bytes, which protocol 2 stores as text."""
    return text.encode("latin1")


# The allow-list: names that a file may refer to, and the functions and constants that replace them.
# asteroid's files contain torch's version as a TorchVersion and `max_bin` as a numpy scalar, whose
# module was renamed in numpy 2.
_KNOWN: Mapping[str, Any] = {
    "collections.OrderedDict": make_dict,
    "torch.Size": lambda sizes: tuple(sizes),
    "torch._utils._rebuild_tensor": _rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_tensor_v3": _rebuild_tensor_of_type,
    "torch._utils._rebuild_parameter": lambda data, *_: data,
    "torch._utils._rebuild_parameter_with_state": lambda data, *_: data,
    "torch.torch_version.TorchVersion": lambda version: str(version)[:100],
    "numpy.dtype": _number_type,
    "numpy.core.multiarray.scalar": _number,
    "numpy._core.multiarray.scalar": _number,
    "_codecs.encode": _encode,
    "torch.storage.UntypedStorage": torch.uint8,
    **{
        f"{module}.{name}": dtype
        for module in ("torch", "torch.cuda")
        for name, dtype in _STORAGE_TYPES.items()
    },
    **{str(dtype): dtype for dtype in _STORAGE_TYPES.values()},
    **{f"torch.{name}": getattr(torch, name) for name in _NEW_TYPES},
}

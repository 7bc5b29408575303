"""A file of torch.save in, the object in it out, without running what the file asks for."""

import pickle
import re

import numpy as np
import torch
from torch.torch_version import TorchVersion

_NUMBER_CODE = re.compile(r"b1|[iu][1248]|f[248]")  # as numpy writes types in files


def load_package(path):
    """Load a model package, its tensors on the CPU.

    Args:
        path (Union[str, os.PathLike]): Path of a file that `torch.save` wrote.

    Returns:
        dict, the package.

    Raises:
        pickle.UnpicklingError: If the file asks for anything but tensors, containers, plain
            values and what `serialize` of older versions is known to have written. Before
            torch 2.6, which cannot tell them apart, files are read without this check.
    """
    if torch.__version__ < "2.6":
        return torch.load(path, map_location="cpu")
    with torch.serialization.safe_globals(_allowed()):
        return torch.load(path, map_location="cpu", weights_only=True)


def as_plain_number(value):
    """A numpy scalar as the number it is; anything else is returned as it is."""
    return value.item() if isinstance(value, np.generic) else value


def _allowed():
    """What a file may ask for besides torch's own list, and what it gets.

    - TorchVersion, a string: `serialize` used to store `torch.__version__` as it is.
    - numpy scalars: the X-UMX recipe used to store `max_bin` as one. They are read into plain
      numbers by the functions below. Their address changed with numpy 2.
    """
    return [
        TorchVersion,
        (_NumberType, "numpy.dtype"),
        (_read_number, "numpy.core.multiarray.scalar"),
        (_read_number, "numpy._core.multiarray.scalar"),
    ]


class _NumberType:
    """Stands for the numpy.dtype of a number: its code, "i8", and from its state its byte order."""

    def __init__(self, code, *_):
        if not _NUMBER_CODE.fullmatch(code):
            raise pickle.UnpicklingError(f"numpy.dtype({code!r}) is not the type of a number.")
        self.code, self.order = code, "="

    def __setstate__(self, state):
        self.order = state[1]


def _read_number(number_type, data):
    dtype = np.dtype(number_type.order + number_type.code)
    return np.frombuffer(data, dtype, count=1)[0].item()

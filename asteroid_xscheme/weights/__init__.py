"""Read, write, convert and publish weights; no code from a file is ever run.

`load_package` takes a path, name, URL or Hugging Face id and returns asteroid's package;
`save_package` writes one. No model is imported here: `models` finds the class that a package names.
"""

from .diagnosis import CheckpointError, DamagedFileError
from .files import read_package, save_package
from .loading import load_package
from .published import PUBLISHED, PublishedModel
from .publishing import publish

__all__ = [
    "PUBLISHED",
    "CheckpointError",
    "DamagedFileError",
    "PublishedModel",
    "load_package",
    "publish",
    "read_package",
    "save_package",
]

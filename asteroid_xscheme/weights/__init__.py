"""Weights: read safely from files, names and addresses, written, converted and published.

`load_package` takes whatever names some weights and returns asteroid's package; `save_package`
writes one. No model is imported here: which class a package belongs to is the models' business.
"""

from .diagnosis import CheckpointError, DamagedFileError
from .files import read_package, save_package
from .hub import push_folder
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
    "push_folder",
    "read_package",
    "save_package",
]

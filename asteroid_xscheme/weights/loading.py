"""Load a package from a path, a published name, a URL, an id, or a dictionary."""

import difflib
import os
import re
from collections.abc import Mapping
from typing import Any, Dict, Union

from .diagnosis import CheckpointError
from .fetching import load_url
from .files import check_package, read_package
from .published import PUBLISHED, asteroid_sample_rate, asteroid_url, find_published

_HUB_HOME = "https://huggingface.co/"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
_FILE_SUFFIXES = (".pth", ".pt", ".bin", ".ckpt", ".h5", ".zip", ".safetensors", ".tar", ".th")
_YES = ("1", "on", "yes", "true")


def load_package(
    weights: Union[str, os.PathLike, Mapping], offline: bool = False
) -> Dict[str, Any]:
    """Load a package of weights without running any code from a file.

    Args:
        weights: The first that matches: a package (it is not changed); the path of a file; a name
            in `PUBLISHED` ("small", "xumx", "xumxl", ...); the path of a folder; an id in
            asteroid's table; a URL; or a Hugging Face id, "owner/name" or "owner/name@revision".
        offline: Use only files on this machine; the environment variable HF_HUB_OFFLINE=1 does
            the same.

    Returns:
        `model_name`, `model_args`, `state_dict` and the other entries of the package, in plain
        types.

    Raises:
        CheckpointError: If the weights cannot be found, downloaded or read, or are refused; the
            message says why and what to do.
    """
    if isinstance(weights, Mapping):
        return check_package(weights, "the dictionary")
    name = os.fspath(weights)
    path = os.path.expanduser(name)
    if os.path.isfile(path):
        return read_package(path)
    offline = offline or os.getenv("HF_HUB_OFFLINE", "").lower() in _YES
    published = find_published(name)
    if published is not None:
        return published.load(offline)
    if os.path.isdir(path):
        return read_package(path)
    if (url := asteroid_url(name)) is not None:
        return _with_sample_rate(load_url(url, offline=offline), name)
    return _load_remote(name, offline)


def _load_remote(name: str, offline: bool) -> Dict[str, Any]:
    """The package of a URL or a Hugging Face id."""
    scheme, colon, rest = name.partition("://")
    if colon and scheme.lower() in ("http", "https"):
        name = f"{scheme.lower()}://{rest}"
        if not rest.partition("/")[0]:
            raise CheckpointError(f"{name!r} is not a complete URL. Expected https://HOST/FILE.")
    hub_name = name.removeprefix(_HUB_HOME)
    if hub_name == name and name.startswith(("http://", "https://")):
        return load_url(name, offline=offline)
    if _HUB_ID.fullmatch(hub_name) and not hub_name.lower().endswith(_FILE_SUFFIXES):
        from .hub import load_hub  # its client takes long to import

        return load_hub(hub_name, offline=offline)
    if hub_name != name:
        return load_url(name, offline=offline)
    raise CheckpointError(_explain_unknown(name))


def _with_sample_rate(package: Dict[str, Any], name: str) -> Dict[str, Any]:
    """Add the sample rate that asteroid assumes for old files, which lack it."""
    package["model_args"].setdefault("sample_rate", asteroid_sample_rate(name))
    return package


def _explain_unknown(name: str) -> str:
    """The message for a string that names no weights."""
    if os.path.exists(os.path.expanduser(name)):
        return f"{name} is neither a file nor a folder. Expected a weights file."
    near = difflib.get_close_matches(name.lower(), PUBLISHED, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return (
        f"There is no file {name!r}, and no weights have that name.{hint} Expected a path, a URL, "
        f"a Hugging Face id (owner/name) or one of: {', '.join(PUBLISHED)}."
    )

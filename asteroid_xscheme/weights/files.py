"""Read and write packages: the dictionaries that asteroid's `serialize` returns.

A package has `model_name` (class), `model_args` (keyword arguments), `state_dict` (tensors) and
further entries (`infos`, `dataset`, `licenses`, ...). It contains plain types only, in memory and
in the files written here, so that every version of asteroid and torch can read it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Union

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ..atomic import replacing
from . import nnabla
from .diagnosis import CheckpointError, Kind, detect_kind, shorten, told_as_damage
from .extent import check_extent
from .torch_files import read_torch_file

_KEYS = ("model_name", "model_args", "state_dict")
#: weights in a folder or a Hugging Face repository, in order of preference
FOLDER_FILES = ("pytorch_model.bin", "model.safetensors", "best_model.pth", "model.pth")
#: next to model.safetensors, as huggingface_hub's PyTorchModelHubMixin reads it: the model's
#: arguments, and its class as `model_name`
CONFIG_FILE = "config.json"
_SUFFIXES = (".pth", ".pt", ".bin", ".ckpt", ".th", ".safetensors", ".h5")
_METADATA_KEY = "package"  # in .safetensors: everything but the tensors, as JSON


def read_package(path: Union[str, Path]) -> Dict[str, Any]:
    """Read a weights file of any supported format, or a folder that contains one.

    Args:
        path: .pth from any version of asteroid, .safetensors from this package or with a
            config.json next to it, NNabla's .h5, a zip or folder of .h5 files (the official D3Net),
            or a folder with one of `FOLDER_FILES` or a single other weights file. The content
            decides, not the name.

    Returns:
        The package: plain containers, numbers and strings, and tensors on the CPU.

    Raises:
        CheckpointError: If the file does not exist, is refused, or is not a package.
        DamagedFileError: If it contains no readable weights (truncated, a web page, ...).
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise CheckpointError(f"{path} does not exist. Expected a weights file or a folder.")
    if path.is_dir():
        return _read_folder(path)
    readers: Dict[Kind, Callable[[Path], Any]] = {
        Kind.TORCH: read_torch_file,
        Kind.SAFETENSORS: _read_safetensors,
        Kind.NNABLA: lambda file: nnabla.convert(nnabla.read_parameters(file), str(file)),
        Kind.NNABLA_ZIP: lambda file: nnabla.convert(nnabla.read_zip(file), str(file)),
    }
    content = readers[detect_kind(path)](path)
    check_extent(content, path, path.stat().st_size)
    return check_package(content, str(path))


def save_package(package: Mapping, path: Union[str, Path]) -> Path:
    """Write a package to a file, which appears complete or not at all.

    Args:
        package: As a model's `serialize` returns; it is not changed.
        path: File to write: `.safetensors` for that format, any other suffix for torch's. Missing
            folders are created.

    Returns:
        `path`.

    Raises:
        CheckpointError: If an entry is missing or not of a plain type, or weights are not finite.
        OSError: If the file cannot be written.
    """
    path = Path(path).expanduser()
    package = check_package(package, "the package")
    _check_plain({key: value for key, value in package.items() if key != "state_dict"}, "")
    state_dict = package["state_dict"]
    package["state_dict"] = {key: _own_memory(value) for key, value in state_dict.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write = _write_safetensors if path.suffix == ".safetensors" else torch.save
    with replacing(path) as part:
        write(package, part)
    return path


def check_package(package: Any, origin: str) -> Dict[str, Any]:
    """Check a package and copy it to plain types; its tensors are shared.

    Args:
        package: What a file contained, or a caller passed.
        origin: Where it came from, for messages.

    Returns:
        The copy.

    Raises:
        CheckpointError: If it is not a package, or its weights are not finite.
    """
    if not isinstance(package, Mapping):
        raise CheckpointError(
            f"{origin} contains a {type(package).__name__}, not a package. Expected a dictionary "
            f"with {', '.join(_KEYS)}, as a model's `serialize` returns."
        )
    missing = [key for key in _KEYS if key not in package]
    if missing:
        raise CheckpointError(f"{origin} {_describe_other_kind(package, missing)}")
    if not isinstance(package["model_name"], str):
        raise CheckpointError(
            f"{origin}: model_name is not a string: {package['model_name']!r:.100}."
        )
    arguments, tensors = package["model_args"], package["state_dict"]
    if not isinstance(arguments, Mapping) or not _are_strings(arguments):
        raise CheckpointError(f"{origin}: model_args is not a dictionary of arguments.")
    if not isinstance(tensors, Mapping) or not _are_tensors(tensors) or not _are_strings(tensors):
        raise CheckpointError(f"{origin}: state_dict is not a dictionary of tensors.")
    _check_finite(tensors, origin)
    return as_plain(package)


def _are_strings(names: Iterable) -> bool:
    return all(isinstance(name, str) for name in names)


def _check_finite(tensors: Mapping, origin: str) -> None:
    """Refuse weights that are NaN or infinite."""
    wrong = [name for name, tensor in tensors.items() if not _is_finite(tensor)]
    if wrong:
        raise CheckpointError(
            f"{origin}: weights are not finite: {shorten(wrong)}. The training that produced them "
            "diverged; use an earlier checkpoint or other weights."
        )


def _is_finite(tensor: torch.Tensor) -> bool:
    """Whether all values are finite; the sum usually shows it in one pass, but can overflow."""
    tensor = tensor.detach()
    return bool(torch.isfinite(tensor.sum()) or torch.isfinite(tensor).all())


def _describe_other_kind(package: Mapping, missing: list) -> str:
    """Say what a dictionary without the entries of a package is, and what to do with it."""
    if "pytorch-lightning_version" in package:
        return (
            "is a Lightning checkpoint of a training run, not a package. Use best_model.pth, "
            "which training writes to the same run; to resume the run, pass the checkpoint to the "
            "training."
        )
    if package and _are_tensors(package):
        return (
            f"is a plain state dict of {len(package)} tensors, without the arguments of its model. "
            "Build the model with its arguments, load this with load_state_dict, and call "
            "`save_package(model.serialize(), path)`."
        )
    return (
        f"lacks {', '.join(missing)}. Expected a package, as a model's `serialize` returns; found "
        f"{', '.join(str(key) for key in list(package)[:8]) or 'nothing'}."
    )


def _are_tensors(values: Mapping) -> bool:
    return all(isinstance(value, torch.Tensor) for value in values.values())


def as_plain(value: Any) -> Any:
    """Copy nested containers; numpy scalars become numbers, subclasses of str become str."""
    if isinstance(value, Mapping):
        return {as_plain(key): as_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [as_plain(item) for item in value]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, np.generic):
        return value.item()
    return str(value) if isinstance(value, str) else value


def _check_plain(value: Any, place: str) -> None:
    """Refuse a value that other readers of the file may not support."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            _check_plain(item, f"{place}.{key}" if place else str(key))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            _check_plain(item, f"{place}[{index}]")
    elif value is not None and type(value) not in (bool, int, float, str):
        raise CheckpointError(
            f"The package's {place} is a {type(value).__name__}. Expected numbers, strings, "
            "lists and dictionaries, which every version of asteroid can read; convert it first."
        )


def _own_memory(tensor: torch.Tensor) -> torch.Tensor:
    """Copy a tensor, so that a view does not save the memory of its base."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def only_weights(origin: str, files: Iterable[str], each: str) -> str:
    """Find the only weights file in a list of names.

    Args:
        origin: The folder or repository, for messages.
        files: Names of all its files.
        each: How the user can name one of them, for messages.

    Returns:
        The name.

    Raises:
        CheckpointError: If there is no weights file, or more than one.
    """
    found = sorted(file for file in files if file.lower().endswith(_SUFFIXES))
    if not found:
        raise CheckpointError(
            f"{origin} contains no weights. Expected one of {', '.join(FOLDER_FILES)}, a single "
            f"other file with the suffix {', '.join(_SUFFIXES)}, or NNabla's .h5 files."
        )
    if len(found) > 1:
        raise CheckpointError(
            f"{origin} contains several weights files: {shorten(found, 8)}. Name one: {each}."
        )
    return found[0]


def _read_folder(folder: Path) -> Dict[str, Any]:
    if any(folder.glob("*.h5")):
        return check_package(nnabla.convert(nnabla.read_folder(folder), str(folder)), str(folder))
    for name in FOLDER_FILES:
        if (folder / name).exists():
            return read_package(folder / name)
    files = [path.name for path in folder.iterdir() if path.is_file()]
    return read_package(folder / only_weights(str(folder), files, f"{folder}/FILE"))


def _read_safetensors(path: Path) -> Dict[str, Any]:
    with told_as_damage(path, SafetensorError):
        with safe_open(path, framework="pt") as file:
            entries = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}
        if _METADATA_KEY in entries:
            return {**json.loads(entries[_METADATA_KEY]), "state_dict": tensors}
    shared = {name: kept for name, kept in entries.items() if kept in tensors}
    tensors.update({name: tensors[kept] for name, kept in shared.items()})
    config = path.with_name(CONFIG_FILE)
    if not config.is_file():
        return tensors  # a plain state dict, which check_package explains
    return {**_read_config(config), "state_dict": tensors}


def _read_config(path: Path) -> Dict[str, Any]:
    """The entries of a package in a config.json, without weights."""
    with told_as_damage(path):
        config = json.loads(path.read_text(encoding="utf-8"))
    name = config.get("model_name") if isinstance(config, Mapping) else None
    if name is None:
        raise CheckpointError(
            f"{path} does not say which model the weights next to it belong to. Add the class, "
            'such as "model_name": "XUMX", or load the folder with the class that saved it.'
        )
    arguments = {key: value for key, value in config.items() if key != "model_name"}
    return {"model_name": name, "model_args": arguments}


def _write_safetensors(package: Dict[str, Any], path: Path) -> None:
    rest = {key: value for key, value in package.items() if key != "state_dict"}
    metadata = {"format": "pt", _METADATA_KEY: json.dumps(rest)}
    path.write_bytes(save(package["state_dict"], metadata))  # save_file makes the file private

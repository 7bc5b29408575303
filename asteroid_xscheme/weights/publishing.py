"""Write a package as a folder to share: asteroid's publish_dir and a Hugging Face repository.

`asteroid-upload` uses `model.pth` and `recipe_name.txt`. On Hugging Face, asteroid reads
`pytorch_model.bin`, and huggingface_hub's mixin reads `model.safetensors` and `config.json`.
`README.md` is the model card. asteroid-upload declares every model CC BY-SA 3.0, so weights trained
on non-commercial data belong on Hugging Face, where the card states the terms of the data.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any, Optional, Sequence, Union

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

from ..atomic import write_json, write_text
from .card import model_card
from .diagnosis import CheckpointError
from .files import CONFIG_FILE, as_plain, check_package, save_package

_CARD, _RECIPE = "README.md", "recipe_name.txt"
_WEIGHTS = ("model.pth", "pytorch_model.bin", "model.safetensors")
_LICENCE_ENTRIES = (
    "title",
    "title_link",
    "author",
    "author_link",
    "license",
    "license_link",
    "non_commercial",
)


def publish(
    package: Mapping,
    metrics: Mapping[str, float],
    training_config: Mapping[str, Mapping[str, Any]],
    exp_dir: Union[str, os.PathLike],
    recipe: Optional[str] = None,
    uploader: Optional[str] = None,
    results: Sequence[EvalResult] = (),
    repository: Optional[str] = None,
) -> Path:
    """Write `publish_dir`, the folder to share, into the folder of a run.

    Args:
        package: As a model's `serialize` returns, with `dataset`, `task` and `licenses` of the
            training data, as in best_model.pth; it is not changed.
        metrics: Final scores in dB by name; empty if these weights were not scored.
        training_config: Options of the training, as in conf.yml (two levels). Absolute paths are
            published without their folders.
        exp_dir: The folder of the run; existing files are replaced.
        recipe: Name of the recipe, e.g. "musdb18/X-UMX"; None for the one in an existing
            recipe_name.txt, or else "asteroid_xscheme/" and the model's name.
        uploader: Name of the publisher; None for the owner of the repository, or a placeholder.
        results: The same scores for the card's `model-index`.
        repository: "owner/name" on Hugging Face, if known.

    Returns:
        The published folder.

    Raises:
        CheckpointError: If the package does not describe its training data.
    """
    folder = Path(exp_dir).expanduser() / "publish_dir"
    shared = check_package(package, "the package")
    _check_data(shared)
    recipe = recipe or _recipe_name(folder, shared)
    for name in (*_WEIGHTS, CONFIG_FILE, _CARD):  # whatever happens, never files of two models
        (folder / name).unlink(missing_ok=True)
    shared["infos"] = {
        **shared.get("infos", {}),
        "recipe_name": recipe,
        "training_config": _without_folders(as_plain(training_config)),
        "final_metrics": as_plain(metrics),
    }
    for name in _WEIGHTS:
        save_package(shared, folder / name)
    write_json(folder / CONFIG_FILE, shared["model_args"])  # the mixin passes all to the class
    write_text(folder / _RECIPE, f"{recipe}\n")
    write_text(folder / _CARD, model_card(shared, uploader, results, repository))
    return folder


def _without_folders(value: Any) -> Any:
    """A value whose absolute paths, which tell others about a machine, are cut to their names."""
    if isinstance(value, Mapping):
        return {_without_folders(key): _without_folders(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_folders(each) for each in value]
    if isinstance(value, str) and (value.startswith(("/", "~")) or PureWindowsPath(value).drive):
        return PureWindowsPath(value).name  # it splits at both kinds of slash
    return value


def _check_data(package: Mapping) -> None:
    """Refuse to publish weights without a description of their training data and its terms."""
    missing = [key for key in ("dataset", "task", "licenses") if not package.get(key)]
    for licence in package.get("licenses") or ():
        missing += [f"licenses: {key}" for key in _LICENCE_ENTRIES if key not in licence]
    if missing:
        raise CheckpointError(
            f"The package does not describe its training data: it lacks {', '.join(missing)}. Add "
            "them (--dataset, or `package.update(dataset=..., task=..., licenses=[...])`) and "
            "publish again."
        )


def _recipe_name(folder: Path, package: Mapping) -> str:
    written = folder / _RECIPE
    if written.is_file():
        return written.read_text(encoding="utf-8").strip()
    return f"asteroid_xscheme/{package['model_name']}"

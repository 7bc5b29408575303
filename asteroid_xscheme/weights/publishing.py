"""A package -> a folder to share: asteroid's publish_dir and a Hugging Face repository.

`model.pth` and `recipe_name.txt` are what `asteroid-upload` takes. `pytorch_model.bin` is what
asteroid reads from Hugging Face, `model.safetensors` and `config.json` are what the mixin of
huggingface_hub reads there, `README.md` is what people read. asteroid-upload itself declares every
model CC BY-SA 3.0; weights of non-commercial data belong on Hugging Face, where the card written
here states the terms of the data.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional, Sequence, Union

from huggingface_hub import EvalResult

from ..atomic import write_json
from .card import model_card
from .diagnosis import CheckpointError
from .files import CONFIG_FILE, as_plain, check_package, save_package

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
    """Write the folder that is shared, `publish_dir` in the folder of a run.

    Args:
        package: A model's `serialize` with `dataset`, `task` and `licenses` of its training data,
            as best_model.pth has; it is not changed.
        metrics: Final scores by name, in dB; none where these weights were not scored.
        training_config: The conf.yml of the run, two levels.
        exp_dir: The folder of the run; files of the same names are replaced.
        recipe: Name of the recipe, e.g. "musdb18/X-UMX"; None takes that of an existing
            recipe_name.txt, or this package and the model.
        uploader: Who publishes; None takes the owner of the repository, or leaves a mark to fill
            in.
        results: The same scores for the `model-index` of the card.
        repository: "owner/name" on Hugging Face, if it is known.

    Returns:
        The folder.

    Raises:
        CheckpointError: If the package does not say what data it was trained on.
    """
    folder = Path(exp_dir).expanduser() / "publish_dir"
    shared = check_package(package, "the package")
    _check_data(shared)
    recipe = recipe or _recipe_name(folder, shared)
    shared["infos"] = {
        **shared.get("infos", {}),
        "recipe_name": recipe,
        "training_config": as_plain(training_config),
        "final_metrics": as_plain(metrics),
    }
    for name in _WEIGHTS:
        save_package(shared, folder / name)
    write_json(folder / CONFIG_FILE, {"model_name": shared["model_name"], **shared["model_args"]})
    (folder / "recipe_name.txt").write_text(f"{recipe}\n", encoding="utf-8")
    card = model_card(shared, uploader, results, repository)
    (folder / "README.md").write_text(card, encoding="utf-8")
    return folder


def _check_data(package: Mapping) -> None:
    """Refuse to publish weights whose data, and so whose terms, nobody can tell."""
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
    written = folder / "recipe_name.txt"
    if written.is_file():
        return written.read_text(encoding="utf-8").strip()
    return f"asteroid_xscheme/{package['model_name']}"

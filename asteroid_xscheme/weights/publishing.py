"""A trained package -> a folder to share: asteroid's publish_dir and a Hugging Face repository.

`model.pth` and `recipe_name.txt` are what `asteroid-upload` takes; `pytorch_model.bin` and
`README.md` are what asteroid reads from, and people read on, Hugging Face. asteroid-upload itself
declares every model CC BY-SA 3.0; weights of non-commercial data belong on Hugging Face, where the
card written here states the terms of the data.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Dict, Optional, Union

import yaml
from asteroid.models import save_publishable

from .diagnosis import CheckpointError
from .files import as_plain, check_package, save_package

_LICENCE_ENTRIES = (
    "title",
    "title_link",
    "author",
    "author_link",
    "license",
    "license_link",
    "non_commercial",
)
_FREE, _NON_COMMERCIAL = "cc-by-sa-3.0", "cc-by-nc-sa-4.0"  # asteroid's choice; MedleyDB's
_LICENCE_PAGES = {
    _FREE: "https://creativecommons.org/licenses/by-sa/3.0/",
    _NON_COMMERCIAL: "https://creativecommons.org/licenses/by-nc-sa/4.0/",
}


def publish(
    package: Mapping,
    metrics: Dict[str, float],
    training_config: Dict[str, Dict[str, Any]],
    exp_dir: Union[str, os.PathLike],
    recipe: Optional[str] = None,
    uploader: Optional[str] = None,
) -> Path:
    """Write the folder that is shared, `publish_dir` in the folder of a run.

    Args:
        package: A model's `serialize` with `dataset`, `task` and `licenses` of its training data,
            as best_model.pth has; it is not changed.
        metrics: Final scores by name, in dB.
        training_config: The conf.yml of the run, two levels.
        exp_dir: The folder of the run; files of the same names are replaced.
        recipe: Name of the recipe, e.g. "musdb18/X-UMX"; None takes that of an existing
            recipe_name.txt, or this package and the model.
        uploader: Who publishes; None leaves a mark to fill in.

    Returns:
        The folder.

    Raises:
        CheckpointError: If the package does not say what data it was trained on.
    """
    folder = Path(exp_dir).expanduser() / "publish_dir"
    shared = check_package(package, "the package")
    _check_data(shared)
    recipe = recipe or _recipe_name(folder, shared)
    shared.setdefault("infos", {})
    shared = save_publishable(
        str(folder), shared, as_plain(metrics), as_plain(training_config), recipe
    )
    (folder / "recipe_name.txt").write_text(f"{recipe}\n", encoding="utf-8")
    save_package(shared, folder / "pytorch_model.bin")
    (folder / "README.md").write_text(model_card(shared, uploader), encoding="utf-8")
    return folder


def model_card(package: Mapping, uploader: Optional[str] = None) -> str:
    """The README.md of a Hugging Face repository, in the sections of asteroid's template.

    Args:
        package: As written to `model.pth`.
        uploader: See `publish`.
    """
    name, model = repository_name(package), package["model_name"]
    infos, person = package["infos"], uploader or "[your name]"
    return f"""---
{_as_yaml(_front_matter(package))}
---

# {name}

## Description:
This model was trained by {person} using the {infos["recipe_name"]} recipe of asteroid_xscheme.
It separates {", ".join(package["model_args"]["sources"])}. It was trained on the
`{package["task"]}` task of the {package["dataset"]} dataset.

```python
from asteroid_xscheme.models import {model}

model = {model}.from_pretrained("[owner]/{name}")
```

## Training config:
```yaml
{_as_yaml(infos["training_config"])}
```

## Results:
```yaml
{_as_yaml(infos["final_metrics"])}
```

## License notice:
{_licence_notice(package, name, person)}
"""


def repository_name(package: Mapping) -> str:
    """asteroid's pattern for the names of repositories: model_dataset_task_rate."""
    rate = f"{package['model_args']['sample_rate'] / 1000:g}k"
    task = package["task"].replace("_", "").replace(" ", "")
    return "_".join([package["model_name"], package["dataset"].replace(" ", "-"), task, rate])


def weights_licence(package: Mapping) -> str:
    """The licence for weights that follows from that of their data, by Hugging Face's name."""
    restricted = any(licence["non_commercial"] for licence in package["licenses"])
    return _NON_COMMERCIAL if restricted else _FREE


def _check_data(package: Mapping) -> None:
    """Refuse to publish weights whose data, and so whose terms, nobody can tell."""
    missing = [key for key in ("dataset", "task", "licenses") if not package.get(key)]
    for licence in package.get("licenses") or ():
        missing += [f"licenses: {key}" for key in _LICENCE_ENTRIES if key not in licence]
    if missing:
        raise CheckpointError(
            f"The package does not state its training data: it lacks {', '.join(missing)}. Add "
            "them (`package.update(dataset=..., task=..., licenses=[...])`) and publish again."
        )


def _recipe_name(folder: Path, package: Mapping) -> str:
    written = folder / "recipe_name.txt"
    if written.is_file():
        return written.read_text(encoding="utf-8").strip()
    return f"asteroid_xscheme/{package['model_name']}"


def _front_matter(package: Mapping) -> dict:
    return {
        "tags": ["asteroid", "audio", package["model_name"], "audio-source-separation"],
        "datasets": [package["dataset"], package["task"]],
        "license": weights_licence(package),
        "inference": False,
    }


def _licence_notice(package: Mapping, name: str, person: str) -> str:
    licence = weights_licence(package)
    works = "; ".join(
        f"[{work['title']}]({work['title_link']}) by [{work['author']}]({work['author_link']}), "
        f"used under [{work['license']}]({work['license_link']})"
        for work in package["licenses"]
    )
    notice = f'This work "{name}" is a derivative of {works}.\n'
    if licence == _NON_COMMERCIAL:
        notice += "The data are for non-commercial use only, and so are these weights.\n"
    return (
        notice + f'"{name}" is licensed under [{licence}]({_LICENCE_PAGES[licence]}) by {person}.'
    )


def _as_yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True).strip()

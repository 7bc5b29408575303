"""A trained package -> a folder to share: asteroid's publish_dir and a Hugging Face repository.

`model.pth` and `recipe_name.txt` are what `asteroid-upload` takes; `pytorch_model.bin` and
`README.md` are what asteroid reads from, and people read on, Hugging Face. asteroid-upload itself
declares every model CC BY-SA 3.0; weights of non-commercial data belong on Hugging Face, where the
card written here states the terms of the data.
"""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Optional, Tuple, Union

import yaml
from asteroid.models import save_publishable

from .files import as_plain, check_package, save_package


@dataclass(frozen=True)
class DataLicence:
    """One data set that weights derive from, in the words that asteroid's notice is made of."""

    title: str
    title_link: str
    author: str
    author_link: str
    license: str
    license_link: str
    non_commercial: bool


@dataclass(frozen=True)
class TrainingData:
    """The data of a recipe: its name, its licences, and the licence that follows for weights.

    `weights_licence` is an identifier of Hugging Face.
    """

    name: str
    licences: Tuple[DataLicence, ...]
    weights_licence: str
    task: str = "music_separation"


_MUSDB18_AUTHORS = (
    "Zafar Rafii, Antoine Liutkus, Fabian-Robert Stöter, Stylianos Ioannis Mimilakis and "
    "Rachel Bittner"
)
_MUSDB18_TERMS = (
    "its own terms: educational purposes only, no commercial use without the permission of the "
    "copyright holders (46 tracks: CC BY-NC-SA 4.0, 2 tracks: CC BY-NC-SA 3.0)"
)
_MUSDB18_PAGE = "https://sigsep.github.io/datasets/musdb.html"


def _musdb18(title: str, record: int) -> TrainingData:
    licence = DataLicence(
        title=title,
        title_link=_MUSDB18_PAGE,
        author=_MUSDB18_AUTHORS,
        author_link=f"https://doi.org/10.5281/zenodo.{record}",
        license=_MUSDB18_TERMS,
        license_link=_MUSDB18_PAGE,
        non_commercial=True,
    )
    return TrainingData(title, (licence,), weights_licence="cc-by-nc-sa-4.0")


TRAINING_DATA: Dict[str, TrainingData] = {
    "musdb18": _musdb18("MUSDB18", 1117372),
    "musdb18hq": _musdb18("MUSDB18-HQ", 3338373),
}


def publish(
    package: Mapping,
    folder: Union[str, os.PathLike],
    *,
    metrics: Dict[str, float],
    training_config: Dict[str, Dict[str, Any]],
    recipe: str,
    data: TrainingData,
    uploader: Optional[str] = None,
) -> Path:
    """Write the folder that is shared.

    Args:
        package: What the model's `serialize` returns; it is not changed.
        folder: Made if need be; files of the same names are replaced.
        metrics: Final scores by name, in dB.
        training_config: The conf.yml of the run, two levels.
        recipe: Name of the recipe, e.g. "musdb18/X-UMX".
        data: An entry of `TRAINING_DATA`, or the description of data of your own.
        uploader: Who publishes; None leaves a mark to fill in.

    Returns:
        `folder`.
    """
    folder = Path(folder).expanduser()
    shared = check_package(package, "the package")
    shared.update(
        dataset=data.name,
        task=data.task,
        licenses=[asdict(licence) for licence in data.licences],
    )
    shared.setdefault("infos", {})
    shared = save_publishable(
        str(folder),
        shared,
        metrics=as_plain(metrics),
        train_conf=as_plain(training_config),
        recipe=recipe,
    )
    (folder / "recipe_name.txt").write_text(f"{recipe}\n", encoding="utf-8")
    save_package(shared, folder / "pytorch_model.bin")
    (folder / "README.md").write_text(model_card(shared, data, uploader), encoding="utf-8")
    return folder


def model_card(package: Mapping, data: TrainingData, uploader: Optional[str] = None) -> str:
    """The README.md of a Hugging Face repository, in the sections of asteroid's template."""
    name = repository_name(package)
    person = uploader or "[your name]"
    infos = package["infos"]
    return f"""---
{_as_yaml(_front_matter(package, data))}
---

# {name}

## Description:
This model was trained by {person} using the {infos["recipe_name"]} recipe of asteroid_xscheme.
It separates {", ".join(package["model_args"]["sources"])} and was trained on the
`{data.task}` task of the {data.name} dataset.

```python
from asteroid_xscheme.models import {package["model_name"]}

model = {package["model_name"]}.from_pretrained("[owner]/{name}")
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
{_licence_notice(name, data, person)}
"""


def repository_name(package: Mapping) -> str:
    """asteroid's pattern for names of repositories: model_dataset_task_rate."""
    rate = f"{package['model_args']['sample_rate'] / 1000:g}k"
    task = package["task"].replace("_", "")
    return "_".join([package["model_name"], package["dataset"], task, rate])


def _front_matter(package: Mapping, data: TrainingData) -> dict:
    return {
        "tags": ["asteroid", "audio", package["model_name"], "audio-source-separation"],
        "datasets": [data.name, data.task],
        "license": data.weights_licence,
        "inference": False,
    }


def _licence_notice(name: str, data: TrainingData, person: str) -> str:
    works = "; ".join(
        f"[{each.title}]({each.title_link}) by [{each.author}]({each.author_link}), used under "
        f"[{each.license}]({each.license_link})"
        for each in data.licences
    )
    notice = f'This work "{name}" is a derivative of {works or "the data named above"}.\n'
    if any(each.non_commercial for each in data.licences):
        notice += "The data is for non-commercial use only, and so are these weights.\n"
    return notice + f'"{name}" is licensed under {data.weights_licence} by {person}.'


def _as_yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True).strip()

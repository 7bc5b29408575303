"""Model cards: README.md of a Hugging Face repository, in the sections of asteroid's template.

Hugging Face reads the front matter: library, task, licence, and the scores as `model-index`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Dict, Optional, Sequence

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

_FREE, _NON_COMMERCIAL = "cc-by-sa-3.0", "cc-by-nc-sa-4.0"  # as asteroid and MedleyDB use
_LICENCE_PAGES = {
    _FREE: "https://creativecommons.org/licenses/by-sa/3.0/",
    _NON_COMMERCIAL: "https://creativecommons.org/licenses/by-nc-sa/4.0/",
}


def model_card(
    package: Mapping,
    uploader: Optional[str] = None,
    results: Sequence[EvalResult] = (),
    repository: Optional[str] = None,
) -> str:
    """Write the text of a model card.

    Args:
        package: As written to `model.pth`.
        uploader: Name of the publisher; None for the owner of the repository, or a placeholder.
        results: Scores of these weights.
        repository: "owner/name" on Hugging Face; None for a placeholder.

    Returns:
        The content of README.md.
    """
    name, model = repository_name(package), package["model_name"]
    person = uploader or (repository.partition("/")[0] if repository else "[your name]")
    infos = package["infos"]
    return f"""---
{as_yaml(_front_matter(package, name, results))}
---

# {name}

## Description:
This model was trained by {person} using the {infos["recipe_name"]} recipe of asteroid_xscheme.
It separates {", ".join(package["model_args"]["sources"])}. It was trained on the
`{package["task"]}` task of the {package["dataset"]} dataset.

```python
from asteroid_xscheme import Separator
from asteroid_xscheme.models import {model}

model = {model}.from_pretrained("{repository or f"[owner]/{name}"}")
estimates = Separator(model).separate("song.mp3")
```

## Training config:
```yaml
{as_yaml(infos["training_config"])}
```

## Results:
{_results(infos["final_metrics"], results)}

## License notice:
{_licence_notice(package, name, person)}
"""


def repository_name(package: Mapping) -> str:
    """Name a repository by asteroid's pattern, model_dataset_task_rate."""
    rate = f"{package['model_args']['sample_rate'] / 1000:g}k"
    task = package["task"].replace("_", "").replace(" ", "")
    return "_".join([package["model_name"], _in_one_word(package["dataset"]), task, rate])


def weights_licence(package: Mapping) -> str:
    """The licence of weights that the licences of their data require, as Hugging Face names it."""
    restricted = any(licence["non_commercial"] for licence in package["licenses"])
    return _NON_COMMERCIAL if restricted else _FREE


def as_yaml(value: Any) -> str:
    """Format plain values as YAML, keeping their order."""
    import yaml

    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True).strip()


def _front_matter(package: Mapping, name: str, results: Sequence[EvalResult]) -> Dict[str, Any]:
    from huggingface_hub.repocard_data import eval_results_to_model_index

    front = {
        "library_name": "asteroid",
        "pipeline_tag": "audio-to-audio",
        "tags": [
            "asteroid",
            "asteroid_xscheme",
            "audio",
            package["model_name"],
            "audio-source-separation",
            "music-source-separation",
        ],
        "datasets": [_in_one_word(package["dataset"])],
        "license": weights_licence(package),
        "inference": False,
    }
    if results:
        front["model-index"] = eval_results_to_model_index(name, list(results))
    return front


def _results(metrics: Mapping, results: Sequence[EvalResult]) -> str:
    """The scores and the tracks they were measured on, or a sentence if there are none."""
    if not metrics:
        return "These weights were not scored."
    scored = {f"{each.dataset_split} tracks of {each.dataset_name}" for each in results}
    on = f"In dB, on the {' and '.join(sorted(scored))}.\n\n" if scored else ""
    return f"{on}```yaml\n{as_yaml(metrics)}\n```"


def _in_one_word(text: str) -> str:
    return text.replace(" ", "-")


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

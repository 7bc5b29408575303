"""A conf.yml of asteroid's own X-UMX recipe -> the groups of ours.

Both its local/conf.yml and what its train.py writes into a run's folder are read. Most options are
where they were; this says which have another place here, and which have no meaning any more.

Reference: egs/musdb18/X-UMX of https://github.com/asteroid-team/asteroid.
"""

from typing import Any, Dict, List, Mapping, Tuple

from .options import ConfigError

Groups = Mapping[str, Mapping[str, Any]]

_MOVED = {
    ("data", "root"): ("data", "train_dir"),
    ("model", "pretrained"): ("training", "pretrained"),
    ("training", "loss_combine_sources"): ("loss", "loss_combine_sources"),
    ("training", "loss_use_multidomain"): ("loss", "loss_use_multidomain"),
    ("training", "mix_coef"): ("loss", "mix_coef"),
}
_GONE = {
    ("data", "output"): "the folder of a run is given by --exp_dir, or --tag of run.sh",
}
_EMPTY = ("main_args", "positional arguments")  # groups of the command line that made the file


def from_asteroid(groups: Groups) -> Tuple[Dict[str, Dict[str, Any]], List[str]]:
    """Groups of options, each option in the place that it has here.

    Args:
        groups: Those of a conf.yml. One that names its architecture is ours and left as it is.

    Returns:
        The groups, and a remark for each option that has no meaning any more.

    Raises:
        ConfigError: If an option stands in its old place and in its new one.
    """
    places = {title: dict(group or {}) for title, group in groups.items()}
    if "architecture" in places.get("model", {}):
        return places, []
    for (title, name), (new_title, new_name) in _MOVED.items():
        if name in places.get(title, {}):
            target = places.setdefault(new_title, {})
            if new_name in target:
                raise ConfigError(
                    f"{title}.{name} is {new_title}.{new_name} now, and both are there: delete one."
                )
            target[new_name] = places[title].pop(name)
    remarks = []
    for (title, name), reason in _GONE.items():
        if name in places.get(title, {}):
            del places[title][name]
            remarks.append(f"{title}.{name} has no meaning any more: {reason}.")
    for title in _EMPTY:
        if not any(places.get(title, {}).values()):
            places.pop(title, None)
    return places, remarks

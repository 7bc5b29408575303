"""Read a conf.yml of Asteroid's own X-UMX recipe: move options that are elsewhere in ours.

This covers its local/conf.yml and the conf.yml that its train.py writes into the folder of a run.
Most options have the same place in both; the tables here list those that moved or have no effect.

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
    """Move the options of Asteroid's recipe to where ours expect them.

    Args:
        groups: Groups of options of a conf.yml. A conf.yml that names an architecture is ours and
            stays as it is.

    Returns:
        The groups, and a remark for each option that has no effect here.

    Raises:
        ConfigError: If an option is given both in its old and in its new place.
    """
    places = {title: dict(group or {}) for title, group in groups.items()}
    if "architecture" in places.get("model", {}):
        return places, []
    for (title, name), (new_title, new_name) in _MOVED.items():
        if name in places.get(title, {}):
            target = places.setdefault(new_title, {})
            if new_name in target:
                raise ConfigError(
                    f"{title}.{name} is now {new_title}.{new_name}, but both are given: delete one."
                )
            target[new_name] = places[title].pop(name)
    remarks = []
    for (title, name), reason in _GONE.items():
        if name in places.get(title, {}):
            del places[title][name]
            remarks.append(f"{title}.{name} has no effect: {reason}.")
    for title in _EMPTY:
        if not any(places.get(title, {}).values()):
            places.pop(title, None)
    return places, remarks

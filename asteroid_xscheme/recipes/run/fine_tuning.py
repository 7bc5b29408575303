"""A pretrained model -> the weights that another takes from it: by source, name and shape.

A source takes the network of the source of its own name, or of the one that it is told to start
from, never the one in its place. Tensors of another shape stay as the model began.
"""

from typing import Dict, List, Mapping, Optional

import torch

from ...models import BridgedModel
from ..config import ConfigError

Tensors = Dict[str, torch.Tensor]
Source = Optional[str]  # None stands for what belongs to no single source

_MAY_DIFFER = {"sources", "nb_channels", "max_bin", "network", "network_args"}
#: arguments of models that change how they are computed, not what
_COMPUTATION = {"checkpointing", "recompute", "return_spectrograms", "return_time_signals"}
_MOST_TENSORS = 4  # that a line names


class PretrainedWeights:
    """What a model takes from a pretrained one.

    Args:
        model: The model that takes.
        found: The pretrained model.
        name: What to call the pretrained one.
        starts: By source, the one in `found` that it starts from, where that has another name.

    Raises:
        ConfigError: If the models differ in what does not show in shapes, a source is not there, or
            nothing fits.
    """

    def __init__(
        self, model: BridgedModel, found: BridgedModel, name: str, starts: Mapping[str, str]
    ):
        _check_arguments(model, found, name)
        _check_sources(model, found, name, starts)
        self.name = name
        self._new: Dict[Source, Tensors] = model.weights_by_source()
        self._old: Dict[Source, Tensors] = found.weights_by_source()
        self._starts: Dict[Source, Source] = {
            source: None if source is None else starts.get(source, source) for source in self._new
        }
        self._taken = {source: self._fitting(source) for source in self._new}
        if not any(tensor.ndim for taken in self._taken.values() for tensor in taken.values()):
            raise ConfigError(
                f"Nothing of {name} fits: it has {_sources(found)}, the options want "
                f"{_sources(model)}. Name what a source starts from: --pretrained_map NEW=OLD."
            )

    def _fitting(self, source: Source) -> Tensors:
        """What a source takes, by name."""
        own, given = self._new[source], self._old.get(self._starts[source], {})
        return {n: t for n, t in given.items() if n in own and own[n].shape == t.shape}

    @property
    def are_whole(self) -> bool:
        """Whether they leave nothing of the model as it began."""
        return all(len(self._taken[source]) == len(own) for source, own in self._new.items())

    def give(self) -> None:
        """Write them into the model."""
        for source, taken in self._taken.items():
            for name, tensor in taken.items():
                self._new[source][name].copy_(tensor)

    def __str__(self) -> str:
        """What is taken, what is new and what is left, as a list."""
        given: Dict[Source, Tensors] = {}
        for source, taken in self._taken.items():
            given.setdefault(self._starts[source], {}).update(taken)
        said = {
            "taken": "; ".join(
                self._said_of(source) for source in self._new if self._taken[source]
            ),
            "new": _listed(self._new, self._taken),
            "left": _listed(self._old, given),
        }
        lines = [f"  {what + ':':<6} {words}" for what, words in said.items() if words]
        return "\n".join([f"Weights of {self.name}", *lines])

    def _said_of(self, source: Source) -> str:
        start, n_taken, n_all = (
            self._starts[source],
            len(self._taken[source]),
            len(self._new[source]),
        )
        name = _name(source) if start == source else f"{source} from {start}"
        return name if n_taken == n_all else f"{name} ({n_taken} of {n_all} tensors)"


def _check_arguments(model: BridgedModel, found: BridgedModel, name: str) -> None:
    """Refuse a model whose tensors may have the same shapes and mean something else."""
    has, wanted = found.get_model_args(), model.get_model_args()
    differing = [
        f"{each} is {has.get(each, 'default')}, the options say {wanted.get(each, 'default')}"
        for each in sorted({*has, *wanted} - _MAY_DIFFER - _COMPUTATION)
        if has.get(each) != wanted.get(each)
    ]
    if type(found) is not type(model) or differing:
        raise ConfigError(
            f"{name} is another {type(found).__name__} than the {type(model).__name__} of the "
            f"options: {'; '.join(differing)}. Set the options to the model's own; only sources, "
            "channels, the bandwidth and the networks' sizes may differ."
        )


def _check_sources(
    model: BridgedModel, found: BridgedModel, name: str, starts: Mapping[str, str]
) -> None:
    for source, start in starts.items():
        if source not in model.sources:
            raise ConfigError(
                f"pretrained_map: {source!r} is not among the sources, {_sources(model)}."
            )
        if start not in found.sources:
            raise ConfigError(f"pretrained_map: {name} has {_sources(found)}, not {start!r}.")
    differ = starts or found.sources != model.sources
    if differ and not set(model.weights_by_source()) - {None}:
        raise ConfigError(
            f"{type(model).__name__} does not say which weights are of which source, so only a "
            f"model of the same sources fits, {_sources(found)}: let it define weights_by_source."
        )


def _listed(all_of: Mapping[Source, Tensors], without: Mapping[Source, Tensors]) -> str:
    """Sources and their tensors but for some; those that miss the same are said together."""
    sources: Dict[str, List[str]] = {}
    for source, own in all_of.items():
        rest = {n: t for n, t in own.items() if n not in without.get(source, {})}
        if rest:
            words = ": " + _shapes(rest) if len(rest) < len(own) else ""
            sources.setdefault(words, []).append(_name(source))
    return "; ".join(f"{', '.join(names)}{words}" for words, names in sources.items())


def _shapes(tensors: Tensors) -> str:
    said = [f"{name} {list(tensor.shape)}" for name, tensor in tensors.items()]
    more = [f"{len(said) - _MOST_TENSORS} more"] if len(said) > _MOST_TENSORS else []
    return ", ".join([*said[:_MOST_TENSORS], *more])


def _name(source: Source) -> str:
    return "what all sources share" if source is None else source


def _sources(model: BridgedModel) -> str:
    return ", ".join(model.sources)

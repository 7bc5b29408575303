"""Copy weights from a pretrained model into another: by source, tensor name and shape.

Each source starts from the pretrained source of the same name, or from the one that
`pretrained_map` names; the order of the sources plays no role. Tensors whose shapes differ keep
their initial values.
"""

from typing import Dict, List, Mapping, Optional

import torch

from ...models import BridgedModel
from ..config import ConfigError

Tensors = Dict[str, torch.Tensor]
Source = Optional[str]  # None stands for weights that belong to no single source

_MAY_DIFFER = {"sources", "nb_channels", "max_bin", "network", "network_args"}
#: arguments of models that change how they compute, not what
_COMPUTATION = {"checkpointing", "recompute", "return_spectrograms", "return_time_signals"}
_MOST_TENSORS = 4  # named in a line


class PretrainedWeights:
    """The weights that a model takes from a pretrained model.

    Args:
        model: The model to fill; `give` writes into it.
        found: The pretrained model.
        name: Name of the pretrained model in messages.
        starts: For each source that starts from a source of another name in `found`, that name.

    Raises:
        ConfigError: If the models differ in an argument that shapes do not reveal, `starts` names a
            source that does not exist, or no weights fit.
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
                f"No weights of {name} fit: it has the sources {_sources(found)}, but the options "
                f"ask for {_sources(model)}. Use --pretrained_map NEW=OLD to say which source each "
                "starts from."
            )

    def _fitting(self, source: Source) -> Tensors:
        """The pretrained tensors that a source takes, by name."""
        own, given = self._new[source], self._old.get(self._starts[source], {})
        return {n: t for n, t in given.items() if n in own and own[n].shape == t.shape}

    @property
    def are_whole(self) -> bool:
        """Whether they replace all initial weights of the model."""
        return all(len(self._taken[source]) == len(own) for source, own in self._new.items())

    def give(self) -> None:
        """Write the weights into the model."""
        for source, taken in self._taken.items():
            for name, tensor in taken.items():
                self._new[source][name].copy_(tensor)

    def __str__(self) -> str:
        """Lists of the weights that are taken, new, and left over in the pretrained model."""
        given: Dict[Source, Tensors] = {}
        for source, taken in self._taken.items():
            given.setdefault(self._starts[source], {}).update(taken)
        lists = {
            "taken": "; ".join(
                self._describe(source) for source in self._new if self._taken[source]
            ),
            "new": _listed(self._new, self._taken),
            "left": _listed(self._old, given),
        }
        lines = [f"  {what + ':':<6} {words}" for what, words in lists.items() if words]
        return "\n".join([f"Weights of {self.name}", *lines])

    def _describe(self, source: Source) -> str:
        start, n_taken, n_all = (
            self._starts[source],
            len(self._taken[source]),
            len(self._new[source]),
        )
        name = _name(source) if start == source else f"{source} from {start}"
        return name if n_taken == n_all else f"{name} ({n_taken} of {n_all} tensors)"


def _check_arguments(model: BridgedModel, found: BridgedModel, name: str) -> None:
    """Refuse a pretrained model whose tensors may have equal shapes but another meaning."""
    has, wanted = found.get_model_args(), model.get_model_args()
    differing = [
        f"{each} is {has.get(each, 'default')}, the options say {wanted.get(each, 'default')}"
        for each in sorted({*has, *wanted} - _MAY_DIFFER - _COMPUTATION)
        if has.get(each) != wanted.get(each)
    ]
    if type(found) is not type(model) or differing:
        raise ConfigError(
            f"{name} ({type(found).__name__}) does not match the {type(model).__name__} of the "
            f"options: {'; '.join(differing) or 'the classes differ'}. Set the options to those of "
            "the pretrained model; only sources, channels, bandwidth and the sizes of the networks "
            "may differ."
        )


def _check_sources(
    model: BridgedModel, found: BridgedModel, name: str, starts: Mapping[str, str]
) -> None:
    for source, start in starts.items():
        if source not in model.sources:
            raise ConfigError(
                f"pretrained_map: {source!r} is not one of the sources, {_sources(model)}."
            )
        if start not in found.sources:
            raise ConfigError(f"pretrained_map: {name} has {_sources(found)}, not {start!r}.")
    differ = starts or found.sources != model.sources
    if differ and not set(model.weights_by_source()) - {None}:
        raise ConfigError(
            f"{type(model).__name__} does not say which weights belong to which source, so the "
            f"sources must be those of the pretrained model, {_sources(found)}. To use others, "
            "define weights_by_source in the class."
        )


def _listed(all_of: Mapping[Source, Tensors], without: Mapping[Source, Tensors]) -> str:
    """Describe the tensors of each source that `without` lacks; equal lists are merged."""
    sources: Dict[str, List[str]] = {}
    for source, own in all_of.items():
        rest = {n: t for n, t in own.items() if n not in without.get(source, {})}
        if rest:
            words = ": " + _shapes(rest) if len(rest) < len(own) else ""
            sources.setdefault(words, []).append(_name(source))
    return "; ".join(f"{', '.join(names)}{words}" for words, names in sources.items())


def _shapes(tensors: Tensors) -> str:
    shapes = [f"{name} {list(tensor.shape)}" for name, tensor in tensors.items()]
    more = [f"{len(shapes) - _MOST_TENSORS} more"] if len(shapes) > _MOST_TENSORS else []
    return ", ".join([*shapes[:_MOST_TENSORS], *more])


def _name(source: Source) -> str:
    return "what all sources share" if source is None else source


def _sources(model: BridgedModel) -> str:
    return ", ".join(model.sources)

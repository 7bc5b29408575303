"""`Config`, all options of a run: read from conf.yml and the command line, written to conf.yml."""

import argparse
import dataclasses
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, cast

import yaml

from .architectures import XUMXConfig, options_of
from .groups import (
    GROUPS,
    DataConfig,
    EvaluationConfig,
    LossConfig,
    OptimConfig,
    SeparationConfig,
    TrainingConfig,
)
from .old_names import from_asteroid
from .options import ConfigError, add_arguments, from_dict, result_options

log = logging.getLogger(__name__)


@dataclass
class Config:
    """All options of a run.

    `architecture` names the model's class; `model` holds that architecture's own options.
    """

    architecture: str = "XUMX"
    model: Any = field(default_factory=XUMXConfig)
    data: DataConfig = field(default_factory=DataConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    separation: SeparationConfig = field(default_factory=SeparationConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)

    def __post_init__(self):
        val_dur = self.training.val_dur
        if val_dur is not None and val_dur * self.data.sample_rate < 1:
            raise ConfigError(f"val_dur must be at least one sample long, got {val_dur} s.")

    @classmethod
    def from_dict(cls, groups: Mapping[str, Mapping[str, Any]]) -> "Config":
        """Options from the two-level dictionary of a conf.yml.

        Args:
            groups: Options by group; missing options keep their default.

        Raises:
            ConfigError: If a group or option is unknown, or a value is invalid.
        """
        unknown = set(groups) - {"model", *GROUPS}
        if unknown:
            raise ConfigError(
                f"conf.yml has no group {sorted(unknown)}; it has: model, {', '.join(GROUPS)}."
            )
        model = dict(groups.get("model") or {})
        architecture = model.pop("architecture", "XUMX")
        return cls(
            architecture=architecture,
            model=_model_options(architecture, model),
            **{name: from_dict(g, groups.get(name) or {}, name) for name, g in GROUPS.items()},
        )

    @classmethod
    def from_yaml(cls, path: Path) -> "Config":
        """Options from a conf.yml, ours or that of Asteroid's X-UMX recipe.

        Options of Asteroid's recipe that have no effect here are logged as warnings.

        Raises:
            ConfigError: If the file is missing or not YAML, or an option is unknown or invalid.
        """
        if not Path(path).is_file():
            raise ConfigError(f"There is no configuration file {path}.")
        groups, remarks = from_asteroid(_load_yaml(Path(path)))
        for remark in remarks:
            log.warning("%s: %s", path, remark)
        return cls.from_dict(groups)

    @classmethod
    def parse(
        cls, conf_path: Path, parser: argparse.ArgumentParser, argv: Optional[Sequence[str]] = None
    ) -> Tuple["Config", argparse.Namespace]:
        """Options from a conf.yml, overridden by the command line.

        Args:
            conf_path: The conf.yml that holds the defaults.
            parser: Parser with the program's own arguments; all options are added to it.
            argv: The command line; None means that of this process.

        Returns:
            The options, and the values of the program's own arguments.

        Raises:
            ConfigError: If the conf.yml is wrong. A wrong command line ends the program, as with
                argparse.
        """
        base = cls.from_yaml(conf_path)
        add_arguments(parser, base.model, f"model ({base.architecture})")
        for name in GROUPS:
            add_arguments(parser, getattr(base, name), name)
        given = parser.parse_args(argv)
        try:
            return cls.from_dict(_override(base.to_dict(), vars(given))), given
        except ConfigError as error:
            parser.error(str(error))

    def to_dict(self) -> Dict[str, Dict[str, Any]]:
        """The two-level dictionary that `from_dict` reads."""
        groups = {name: dataclasses.asdict(getattr(self, name)) for name in ("model", *GROUPS)}
        groups["model"] = {"architecture": self.architecture, **groups["model"]}
        return groups

    def to_result_dict(self) -> Dict[str, Dict[str, Any]]:
        """What of `to_dict` the results depend on, and the weights that training began with."""
        groups = {name: result_options(getattr(self, name)) for name in ("model", *GROUPS)}
        groups["model"] = {"architecture": self.architecture, **groups["model"]}
        started = {
            "pretrained": self.training.pretrained,
            "pretrained_map": self.training.pretrained_map,
        }
        groups["training"].update({name: value for name, value in started.items() if value})
        return groups

    def to_yaml(self) -> str:
        """The text of a conf.yml, with a comment that explains each option."""
        lines = []
        for title, options in self.to_dict().items():
            group = GROUPS.get(title, type(self.model))
            lines += [f"# {_first_line(group)}", f"{title}:"]
            if title == "model":
                lines += _explained(
                    "architecture", options.pop("architecture"), "class of the model"
                )
            for each in dataclasses.fields(group):
                lines += _explained(each.name, options[each.name], each.metadata["help"])
        return "\n".join(lines) + "\n"


def _model_options(architecture: str, options: Mapping[str, Any]) -> Any:
    """Options of a model; raises ConfigError for a value that the model refuses."""
    try:
        return from_dict(options_of(architecture), options, f"model ({architecture})")
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(f"model ({architecture}): {error}") from None


def _first_line(group: type) -> str:
    return cast(str, group.__doc__).strip().splitlines()[0]


def _explained(name: str, value: Any, explanation: str) -> List[str]:
    """Lines of YAML: a comment that explains the option, then the option."""
    text = yaml.safe_dump({name: value}, sort_keys=False, width=90).rstrip().splitlines()
    return [f"  # {explanation}", *(f"  {line}" for line in text)]


def _load_yaml(path: Path) -> Mapping[str, Mapping[str, Any]]:
    try:
        groups = yaml.safe_load(path.read_bytes()) or {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(groups, Mapping) or not all(
        isinstance(group, Mapping) or group is None for group in groups.values()
    ):
        raise ConfigError(f"{path} must have groups of options, such as `optim:` with `lr: 0.001`.")
    return groups


def _override(groups: Dict[str, Dict[str, Any]], given: Mapping[str, Any]) -> Dict[str, Any]:
    """Groups of options, with values from the command line instead of those from the file."""
    return {
        title: {name: given.get(name, value) for name, value in group.items()}
        for title, group in groups.items()
    }

"""The options of a run, in groups: everything that a recipe's `local/conf.yml` may contain.

`Config.from_dict` reads the two-level dictionary of a conf.yml (Asteroid's format; option names are
unique across all groups), `Config.parse` lets the command line override any option, and
`Config.to_dict` and `to_yaml` write the options. Each option is defined and explained once. Values
that contradict each other are refused before anything is read or computed.
"""

from .architectures import (
    ARCHITECTURES,
    XConvTasNetConfig,
    XD3NetConfig,
    XSchemeConfig,
    XUMXConfig,
    max_bin,
)
from .groups import (
    GROUPS,
    SOURCES,
    DataConfig,
    EvaluationConfig,
    LossConfig,
    OptimConfig,
    SeparationConfig,
    TrainingConfig,
)
from .options import ConfigError, check_one_of, result_options
from .run import Config

__all__ = [
    "ARCHITECTURES",
    "Config",
    "ConfigError",
    "DataConfig",
    "EvaluationConfig",
    "GROUPS",
    "LossConfig",
    "OptimConfig",
    "SOURCES",
    "SeparationConfig",
    "TrainingConfig",
    "XConvTasNetConfig",
    "XD3NetConfig",
    "XSchemeConfig",
    "XUMXConfig",
    "check_one_of",
    "max_bin",
    "result_options",
]

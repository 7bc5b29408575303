"""A run's options, by group: what a recipe's `local/conf.yml` may say, each explained once.

`Config.from_dict` reads the two-level dictionary of a conf.yml (asteroid's form, option names
unique over all groups), `Config.parse` lets a command line override any of it, and
`Config.to_dict` and `to_yaml` write it back. Values that contradict each other are refused here,
before anything is read or computed.
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

"""Build the Lightning loggers of a run from their names.

"csv" needs no logger: a callback writes logs/metrics.csv, which the report reads, for every run.
"""

from typing import Any, Dict, List, Mapping, Sequence, Tuple

import pytorch_lightning.loggers
from pytorch_lightning.loggers import Logger

from ..config import ConfigError
from .folder import RunFolder

_PROJECT = "asteroid_xscheme"
#: by name: Lightning's class, and the package that it needs
_CLASSES: Mapping[str, Tuple[str, str]] = {
    "tensorboard": ("TensorBoardLogger", "tensorboard"),
    "wandb": ("WandbLogger", "wandb"),
    "mlflow": ("MLFlowLogger", "mlflow"),
    "comet": ("CometLogger", "comet-ml"),
    "lit": ("LitLogger", "litlogger"),
}


def build_loggers(names: Sequence[str], run: RunFolder) -> List[Logger]:
    """Build the loggers of a run.

    Args:
        names: Names in `LOGGERS` of the options.
        run: The folder of the run. Its name is the run's name in loggers that show several runs.

    Raises:
        ConfigError: If a logger needs a package that is not installed.
    """
    return [_build(name, run) for name in dict.fromkeys(names) if name != "csv"]


def _build(name: str, run: RunFolder) -> Logger:
    class_name, package = _CLASSES[name]
    try:
        return getattr(pytorch_lightning.loggers, class_name)(**_arguments(name, run))
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"logger {name} needs the package {package}: pip install {package}, or leave it out "
            "of --logger."
        ) from error


def _arguments(name: str, run: RunFolder) -> Dict[str, Any]:
    """Arguments of a logger's class: the name of the run, and where to write.

    The packages read addresses and keys of servers from their own environment variables.
    """
    title, logs = run.path.resolve().name, run.path / "logs"
    arguments: Dict[str, Dict[str, Any]] = {
        "tensorboard": {"save_dir": run.path, "name": "logs", "version": "tensorboard"},
        "wandb": {"name": title, "project": _PROJECT, "save_dir": run.path},
        "mlflow": {
            "run_name": title,
            "experiment_name": _PROJECT,
            "save_dir": str(logs / "mlflow"),
        },
        "comet": {"project": _PROJECT},
        "lit": {"name": title, "root_dir": logs},
    }
    return arguments[name]

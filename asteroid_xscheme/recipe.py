"""The stages of a recipe: what run.sh calls, and what train.py and eval.py are made of.

    python -m asteroid_xscheme.recipe prepare --conf local/conf.yml
    python -m asteroid_xscheme.recipe publish --conf EXP/conf.yml --exp_dir EXP

Each stage reads the options of a conf.yml and a command line, and does its work by the rooms before.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Optional, Sequence, Tuple

from .checkpoint import load_package, publish
from .config import Config
from .data import prepare
from .evaluation import evaluate
from .models import BridgedModel
from .separator import Separator


def read_options(description: str, argv: Optional[Sequence[str]] = None) -> Tuple[Config, Path]:
    """Options and experiment folder of a stage.

    Args:
        description: What the program does, for its --help.
        argv: The command line, by default the process's.
    """
    parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
    parser.add_argument("--conf", default="local/conf.yml", type=Path, help="a conf.yml")
    parser.add_argument("--exp_dir", default="exp/tmp", type=Path, help="folder of the run")
    conf, _ = parser.parse_known_args([a for a in _command_line(argv) if a not in ("-h", "--help")])
    config, given = Config.parse(conf.conf, parser, argv)
    return config, given.exp_dir


def prepare_data(config: Config) -> None:
    """Stage 0: bring the data set into the first folder of `train_dir`."""
    folder = prepare(config.data, config.data.roots[0])
    print(f"The data are in {folder}")


def evaluate_run(config: Config, exp_dir: Path) -> None:
    """Stage 2: separate and score the test tracks with the best model of the run."""
    model = BridgedModel.from_pretrained(best_model(exp_dir))
    separator = Separator.from_config(model, config.separation, config.evaluation.eval_device)
    report = evaluate(separator, config, exp_dir)
    print(report.text())


def publish_run(config: Config, exp_dir: Path) -> None:
    """Stage 3: pack model, training configuration, scores and model card for sharing."""
    metrics = json.loads((exp_dir / "final_metrics.json").read_text(encoding="utf-8"))
    folder = publish(load_package(best_model(exp_dir)), metrics, config.to_dict(), exp_dir)
    print(f"Ready to be shared: {folder}")


def best_model(exp_dir: Path) -> str:
    """Path of a run's best_model.pth.

    Raises:
        FileNotFoundError: If its training has not finished; no other model takes its place.
    """
    path = Path(exp_dir) / "best_model.pth"
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no {path}: train it first (./run.sh --stage 1 --tag ...)."
        )
    return str(path)


def _command_line(argv: Optional[Sequence[str]]) -> Sequence[str]:
    return sys.argv[1:] if argv is None else argv

"""The stages of a recipe, as run.sh, train.py and eval.py call them.

    python -m asteroid_xscheme.recipes.stages prepare --conf local/conf.yml
    python -m asteroid_xscheme.recipes.stages publish --conf EXP/conf.yml --exp_dir EXP

Each stage reads its options from a conf.yml and the command line.
"""

import argparse
import math
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, Optional, Sequence, Tuple

from ..atomic import alone, write_json
from ..errors import XSchemeError, is_mistake, request_report
from ..models import BridgedModel
from ..separation import Separator, find_device
from ..weights import load_package
from .config import Config, result_options
from .data import configured_tracks, prepare
from .evaluation import Scoring, TestData, all_figures, evaluate, flat, model_system
from .identity import read_record, weights_hash
from .publication import PublicationError, publish_scored, read_scores
from .report import write_report
from .run.folder import FINISHED

#: in the folder of a run, the record of what was evaluated and its scores
RECORD = "evaluation/record.json"


class StageError(XSchemeError):
    """A stage needs an output of an earlier stage that is missing or out of date."""


def run_stage(description: str, stage: Callable[[Config, Path], object]) -> None:
    """Run a stage as a program: read its options, and print a user's mistake on one line.

    Args:
        description: What the program does, for its --help.
        stage: Function of the options and the folder of the run.
    """
    try:
        config, exp_dir = read_options(description)
        stage(config, exp_dir)
    except Exception as error:
        if not is_mistake(error):
            traceback.print_exception(error)
        reason = error if is_mistake(error) else request_report(error)
        sys.exit(f"{Path(sys.argv[0]).name}: {reason}")


def read_options(description: str, argv: Optional[Sequence[str]] = None) -> Tuple[Config, Path]:
    """The options of a stage, and the folder of the run.

    Args:
        description: What the program does, for its --help.
        argv: The command line; None means that of this process.
    """
    parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
    parser.add_argument(
        "--conf",
        default="local/conf.yml",
        type=Path,
        help="conf.yml with the options (default: %(default)s)",
    )
    parser.add_argument(
        "--exp_dir", default="exp/tmp", type=Path, help="folder of the run (default: %(default)s)"
    )
    conf, _ = parser.parse_known_args([a for a in _command_line(argv) if a not in ("-h", "--help")])
    config, given = Config.parse(conf.conf, parser, argv)
    return config, given.exp_dir


def prepare_data(config: Config, exp_dir: Path) -> None:
    """Stage 0: prepare the data set in the first folder of `train_dir`."""
    folder = prepare(config.data, config.data.roots[0])
    print(f"The data is in {folder}")


def evaluate_run(config: Config, exp_dir: Path) -> None:
    """Stage 2: separate and score the test tracks with the best model of the run.

    Writes to the run's folder: evaluation/ (estimates and scores of every track, record.json),
    results.md, all_metrics.csv and final_metrics.json; and report/ if the estimates are kept.

    Args:
        config: The options; `eval_model` names weights to score instead of the run's.
        exp_dir: The folder of the run.

    Raises:
        BusyError: If another process is training or evaluating in the folder.
        StageError: If the run has no finished model, and `eval_model` names none.
        ScoringError: If a track cannot be scored.
    """
    find_device(config.evaluation.eval_device)  # fail before anything is read
    package = load_package(config.evaluation.eval_model or best_model(exp_dir))
    with alone(exp_dir):
        _evaluate(package, config, exp_dir)


def _evaluate(package: Dict[str, Any], config: Config, exp_dir: Path) -> None:
    """The part of `evaluate_run` that runs while the folder is locked."""
    options = config.evaluation
    model = BridgedModel.from_pretrained(package)
    data = replace(config.data, sources=list(model.sources))
    config = replace(config, data=data)
    separator = Separator(model, options.eval_device, **config.separation.separator_options())
    scoring = Scoring(
        model.sources, options.bss_eval, options.eval_jobs, options.metrics, options.targets or ()
    )
    folder = exp_dir / "evaluation"
    system = model_system(
        options.eval_model or run_name(config),
        separator,
        {"model": weights_hash(package), "separation": result_options(config.separation)},
        scoring,
        (folder / "scores", folder / "estimates", exp_dir / RECORD),
        options.save_estimates,
        _conditions(config),
    )
    evaluation = evaluate([system], _test_data(config, exp_dir), scoring, exp_dir)
    figures = flat(all_figures(evaluation.scores["test"][system.name]))
    scored = {name: value for name, value in figures.items() if math.isfinite(value)}
    write_json(exp_dir / "final_metrics.json", scored)
    print(evaluation.text)
    _report(exp_dir)


def _report(exp_dir: Path) -> None:
    """If estimates were kept, write the report and print where to find them."""
    estimates = exp_dir / "evaluation" / "estimates"
    if any(estimates.glob("*/*/*.wav")):
        page = write_report([exp_dir], exp_dir / "report")
        print(f"\nThe separated songs are in {estimates}")
        print(f"Look and listen: {page}")


def _test_data(config: Config, exp_dir: Path) -> TestData:
    """The test tracks of the options, and the real track of the demo."""
    data = config.data
    has_real = (data.test_root / "real").is_dir()
    baselines = (
        exp_dir.parent / f"baselines_{data.dataset}" if config.evaluation.baselines else None
    )
    return TestData(
        data.dataset,
        {s: configured_tracks(data, s) for s in (["test", "real"] if has_real else ["test"])},
        configured_tracks(data, "train") if baselines else (),
        baselines,
    )


def _conditions(config: Config) -> str:
    """Describe what the scores of a run depend on besides its model."""
    if config.evaluation.eval_model:
        trained = "weights as published"
    else:
        trained_on = " and ".join(Path(root).name for root in config.data.roots)
        trained = f"trained on {trained_on}, seed {config.data.seed}"
    return (
        f"{trained}; Wiener iterations: {config.separation.niter}; "
        f"BSSEval: {config.evaluation.bss_eval}"
    )


def run_name(config: Config) -> str:
    """The name of a run's model in tables: X-UMX, X-UMX (points) or, without bridges, UMX."""
    name, bridge = config.model.title(config.architecture), config.model.bridge
    if bridge is True:
        return name
    return f"{name} ({', '.join(bridge)})" if bridge else name.removeprefix("X-")


def publish_run(config: Config, exp_dir: Path) -> None:
    """Stage 3: pack the model, its options, scores and model card into a folder to share.

    The scores come from the record of the evaluation. So do the options of separation and scoring,
    whatever the command line says.

    Raises:
        BusyError: If another process is using the folder of the run.
        StageError: If the run has not been evaluated, or its model has changed since.
    """
    package = load_package(best_model(exp_dir))
    try:
        record = read_scores(exp_dir / RECORD, package)
    except PublicationError as error:
        raise StageError(
            f"{error} Evaluate the run (./run.sh --stage 2 ...), then publish."
        ) from error
    with alone(exp_dir):
        folder = publish_scored(package, record, config.to_result_dict(), exp_dir)
    print(f"Ready to share: {folder}")


def best_model(exp_dir: Path) -> str:
    """Path of a run's best_model.pth.

    Raises:
        StageError: If the training has not finished.
    """
    path = Path(exp_dir) / "best_model.pth"
    if not path.is_file():
        raise StageError(
            f"There is no {path}: train the model first (./run.sh --stage 1 --tag ...)."
        )
    if read_record(exp_dir) is not None and not (Path(exp_dir) / FINISHED).is_file():
        raise StageError(
            f"The training in {exp_dir} has not finished, and {path.name} is older than it: finish "
            "the training first (./run.sh --stage 1 --tag ...)."
        )
    return str(path)


def main() -> None:
    """Run the stage that the first command-line argument names: prepare or publish."""
    stages = {"prepare": prepare_data, "publish": publish_run}
    name = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    if name not in stages:
        sys.exit(
            f"Usage: python -m asteroid_xscheme.recipes.stages prepare|publish ..., not {name!r}"
        )
    run_stage(f"Stage {name} of a recipe.", stages[name])


def _command_line(argv: Optional[Sequence[str]]) -> Sequence[str]:
    return sys.argv[1:] if argv is None else argv


if __name__ == "__main__":
    main()

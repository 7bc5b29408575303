"""The stages of a recipe: what run.sh calls, and what train.py and eval.py are made of.

    python -m asteroid_xscheme.recipes.stages prepare --conf local/conf.yml
    python -m asteroid_xscheme.recipes.stages publish --conf EXP/conf.yml --exp_dir EXP

Each stage reads the options of a conf.yml and a command line; the rooms before do its work.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Callable, Optional, Sequence, Tuple

from ..weights import CheckpointError, load_package, publish
from .config import Config, ConfigError
from .data import DataError, find_tracks, prepare
from ..download import DownloadError
from .evaluation import (
    Scoring,
    evaluate_baselines,
    evaluate_separation,
    flat,
    of_tracks,
    results_text,
    subset_record,
    write_csv,
    write_record,
)
from ..models import BridgedModel
from .report import write_report
from ..separation import Separator

#: what a user can mend: told in a line, without a traceback
_USER_ERRORS = (ConfigError, DataError, CheckpointError, DownloadError, FileNotFoundError)


def run_stage(description: str, stage: Callable[[Config, Path], object]) -> None:
    """A stage as a program: options from the command line, a user's errors in one line.

    Args:
        description: What the program does, for its --help.
        stage: Called with the options and the folder of the run.
    """
    try:
        config, exp_dir = read_options(description)
        stage(config, exp_dir)
    except _USER_ERRORS as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")


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


def prepare_data(config: Config, exp_dir: Path) -> None:
    """Stage 0: bring the data set into the first folder of `train_dir`."""
    folder = prepare(config.data, config.data.roots[0])
    print(f"The data are in {folder}")


def evaluate_run(config: Config, exp_dir: Path) -> None:
    """Stage 2: separate and score the test tracks with the best model of the run.

    Writes evaluation/ (estimates and scores of every track, record.json), results.md,
    all_metrics.csv and final_metrics.json into the run's folder; and report/ to look at and listen
    to, where the estimates are kept.
    """
    model = BridgedModel.from_pretrained(best_model(exp_dir))
    separator = Separator(
        model, config.evaluation.eval_device, **config.separation.separator_options()
    )
    scoring = Scoring(model.sources, config.evaluation.bss_eval, config.evaluation.eval_jobs)
    has_real = (config.data.test_root / "real").is_dir()
    results, subsets = [], {}
    for subset in ["test", "real"] if has_real else ["test"]:
        text, subsets[subset] = _evaluate_subset(subset, config, exp_dir, separator, scoring)
        results.append(text)
    text = "\n\n".join(results)
    (exp_dir / "results.md").write_text(text + "\n", encoding="utf-8")
    name, dataset = run_name(config), config.data.dataset
    write_record(exp_dir, name, dataset, model.sources, _conditions(config), subsets)
    print(text)
    if config.evaluation.save_estimates:
        page = write_report([exp_dir], exp_dir / "report")
        print(f"\nThe separated songs are in {exp_dir / 'evaluation' / 'estimates'}")
        print(f"Look and listen: {page}")


def _evaluate_subset(
    subset: str, config: Config, exp_dir: Path, separator: Separator, scoring: Scoring
) -> Tuple[str, dict]:
    """Scores of the tracks of a subset, written to files; returns their tables and their record."""
    data, evaluation = config.data, config.evaluation
    tracks = find_tracks(data.test_root, subset, scoring.sources, data.sample_rate)
    scores = {}
    if evaluation.baselines:
        train_tracks = find_tracks(data.roots[0], "train", scoring.sources, data.sample_rate)
        folder = exp_dir.parent / f"baselines_{data.dataset}"
        scores = evaluate_baselines(tracks, train_tracks, folder, scoring)
    name, folder = run_name(config), exp_dir / "evaluation"
    model_hash = hashlib.sha256(Path(best_model(exp_dir)).read_bytes()).hexdigest()
    made_of = {"model": model_hash, "separation": str(config.separation)}
    scores[name] = evaluate_separation(
        separator.separate, tracks, folder, scoring, evaluation.save_estimates, made_of
    )
    if subset == "test":
        write_csv(scores, exp_dir / "all_metrics.csv")
        metrics = json.dumps(flat(of_tracks(scores[name])), indent=2)
        (exp_dir / "final_metrics.json").write_text(metrics, encoding="utf-8")
    title = f"{subset} tracks of {data.dataset}"
    record = subset_record(f"{len(tracks)} {title}", exp_dir, tracks, scoring.sources, scores)
    return results_text(title, scores), record


def _conditions(config: Config) -> str:
    """What the scores of a run depend on beside its model, in words."""
    trained_on = " and ".join(Path(root).name for root in config.data.roots)
    return (
        f"trained on {trained_on}, seed {config.data.seed}; "
        f"Wiener iterations: {config.separation.niter}; BSSEval: {config.evaluation.bss_eval}"
    )


def run_name(config: Config) -> str:
    """What a run's model is called in tables: X-UMX, with its points, or UMX without bridges."""
    name, bridge = config.model.title(config.architecture), config.model.bridge
    if bridge is True:
        return name
    return f"{name} ({', '.join(bridge)})" if bridge else name.removeprefix("X-")


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


def main() -> None:
    """Run the stage that the first argument names: prepare or publish."""
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

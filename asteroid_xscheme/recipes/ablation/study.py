"""Run a grid of trainings and write its table and picture; a stopped grid is resumed."""

from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence

from ...atomic import alone, write_json, write_text
from ..config import Config
from ..machine import describe_machine, find_commit, versions
from .cells import CELL, INFERENCE, SCORES, claim, grid_record
from .grid import Cell, Row, cells_of
from .picture import draw
from .processes import ChildProcesses, Job, Run, default_jobs, run_jobs
from .results import Study, read_study
from .table import to_markdown

BASELINES = "baselines"
PICTURE = "ablation.png"


def ablate(
    config: Config,
    rows: Sequence[Row],
    seeds: Sequence[int],
    exp_dir: Path,
    jobs: Optional[int] = None,
    run: Optional[Run] = None,
    report: Callable[[str], None] = print,
) -> Study:
    """Train and score every row with every seed, and compare the rows with the first.

    Cells run in child processes, and finished ones are not repeated. Writes ablation.md,
    ablation.json and ablation.png to `exp_dir`.

    Args:
        config: Options that all cells share; the data must be prepared.
        rows: The rows, the baseline first.
        seeds: The seeds to train each row with.
        exp_dir: Folder that receives a folder per cell, and the results.
        jobs: Cells to run at once; None means one per GPU or, without GPUs, one per core, up to 4.
        run: Function that does a job; None runs it in a child process.
        report: Function that receives a line for each finished job.

    Returns:
        The results.

    Raises:
        BusyError: If another grid is using `exp_dir`.
        ConfigError: If rows, seeds or options do not fit each other or the cells in `exp_dir`.
        AblationError: If jobs failed; all others are then finished.
    """
    exp_dir = Path(exp_dir)
    cells = cells_of(config, rows, seeds, exp_dir)
    with alone(exp_dir):
        return _ablate(config, cells, len(seeds), exp_dir, jobs, run, report)


def _ablate(
    config: Config,
    cells: Sequence[Cell],
    n_seeds: int,
    exp_dir: Path,
    jobs: Optional[int],
    run: Optional[Run],
    report: Callable[[str], None],
) -> Study:
    """The part of `ablate` that runs while `exp_dir` is locked."""
    claim(exp_dir / BASELINES, config, grid_record(config))
    for cell in cells:
        claim(cell.folder, cell.config, grid_record(cell.config))
    slots = jobs or min(default_jobs(), len(cells))
    children = ChildProcesses(slots)
    _run_missing(_training_jobs(cells, exp_dir), run or children, slots, children, report)
    _run_missing(_inference_jobs(cells, n_seeds), run or children, 1, children, report)
    conditions = _conditions(config, cells, slots, children)
    title = f"Ablation of {config.architecture} on {config.data.dataset}"
    study = read_study(title, cells, exp_dir / BASELINES, conditions)
    _write(study, exp_dir)
    return study


def _run_missing(
    jobs: List[Job],
    run: Run,
    slots: int,
    children: ChildProcesses,
    report: Callable[[str], None],
) -> None:
    """Run the jobs that are not done yet."""
    missing = [job for job in jobs if not job.is_done]
    if len(missing) < len(jobs):
        report(f"{len(jobs) - len(missing)} of {len(jobs)} jobs are already done.")
    run_jobs(missing, run, slots, report, children.stop)


def _training_jobs(cells: Sequence[Cell], exp_dir: Path) -> List[Job]:
    baselines = Job("mixture, static filter, oracle", "baselines", (exp_dir / BASELINES,), SCORES)
    return [baselines, *(Job(cell.name, "cell", (cell.folder,), CELL) for cell in cells)]


def _inference_jobs(cells: Sequence[Cell], n_seeds: int) -> List[Job]:
    """One job that times all rows in turns, when nothing else is running."""
    of_first_seed = cells[: len(cells) // n_seeds]
    return [Job("inference", "inference", tuple(c.folder for c in of_first_seed), INFERENCE)]


def _conditions(
    config: Config, cells: Sequence[Cell], slots: int, children: ChildProcesses
) -> Dict[str, str]:
    data, training = config.data, config.training
    model = ", ".join(f"{k} {v}" for k, v in config.to_dict()["model"].items() if k != "bridge")
    return {
        "commit of the table": find_commit() or "unknown",
        "model": model,
        "data": f"{data.dataset}, segments of {data.seq_dur} s, {data.samples_per_track} per track",
        "training": f"{training.epochs} epochs, batches of {training.batch_size}, "
        f"{config.optim.optimizer} at {config.optim.lr}, weight of MDL {config.loss.mix_coef}",
        "evaluation": f"{config.evaluation.bss_eval}, Wiener iterations {config.separation.niter}",
        "seeds": ", ".join(str(seed) for seed in dict.fromkeys(cell.seed for cell in cells)),
        "machine": f"{describe_machine()}; "
        f"{slots} cells at once with {children.threads} threads each",
        "versions": ", ".join(f"{name} {number}" for name, number in versions().items()),
    }


def _write(study: Study, exp_dir: Path) -> None:
    """Write the results as Markdown, JSON and a picture."""
    draw(study, exp_dir / PICTURE)
    write_json(exp_dir / "ablation.json", study.to_dict())
    write_text(exp_dir / "ablation.md", to_markdown(study, PICTURE))

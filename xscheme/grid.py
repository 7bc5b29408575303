"""Run the grid of trainings that `xscheme ablate` asks for, and return its table."""

import argparse
from pathlib import Path
from typing import List, Optional, Sequence

from asteroid_xscheme.recipes.ablation import Row, ablate, distinct, paper_rows, point_rows
from asteroid_xscheme.recipes.config import Config, ConfigError
from asteroid_xscheme.recipes.data import prepare

#: options for every training of a grid, which the command line may override
_OF_GRIDS = ["--save_estimates", "no", "--save_top_k", "1"]


def run_ablation(
    conf: str,
    exp_dir: str,
    seeds: Sequence[int],
    rows: Sequence[str],
    points: Optional[Sequence[str]],
    jobs: Optional[int],
    options: Sequence[str],
) -> str:
    """Run a grid, or what is missing of it.

    Args:
        conf: Path of a conf.yml.
        exp_dir: Folder of the grid.
        seeds: Seeds to train each row with.
        rows: Names of rows of the paper's grid. If empty: all rows, or no row if `points` is given.
        points: Bridging points to compare; an empty list means the model's default points, and
            None compares no points.
        jobs: Trainings to run at once; None means one per GPU, or one per core, up to 4.
        options: Options of the conf.yml, as on a command line.

    Returns:
        The table, and a line that says where the files are.

    Raises:
        ConfigError: If an option is wrong, or there is no such row or point.
        AblationError: If a training failed.
    """
    if jobs is not None and jobs < 1:
        raise ConfigError(f"--jobs: expected 1 or more, got {jobs}.")
    config = read_config(conf, options)
    chosen = choose_rows(config, rows, points)
    root = config.data.roots[0]
    if config.data.dataset == "demo" or not root.is_dir():
        prepare(config.data, root)
    ablate(config, chosen, seeds, Path(exp_dir), jobs)
    page = Path(exp_dir) / "ablation.md"
    return f"{page.read_text(encoding='utf-8')}\nThe table and the picture are in {exp_dir}"


def choose_rows(config: Config, rows: Sequence[str], points: Optional[Sequence[str]]) -> List[Row]:
    """The rows to train: of the paper's grid, for bridging points, or both.

    Args:
        config: Options of the model.
        rows: Names of rows of the paper's grid; empty for all of them.
        points: Bridging points to compare, see `point_rows`; None for the paper's grid alone.

    Raises:
        ConfigError: If there is no such row or point.
    """
    if points is None:
        return paper_rows(rows)
    return distinct(config, [*(paper_rows(rows) if rows else []), *point_rows(config, points)])


def read_config(conf: str, options: Sequence[str]) -> Config:
    """Options from a conf.yml and a command line.

    Raises:
        ConfigError: If an option is wrong, or is --seed, which the grid itself sets.
    """
    if any(option.split("=")[0] == "--seed" for option in options):
        raise ConfigError("--seed: a grid has several seeds; use --seeds 1 2 3 instead.")
    parser = argparse.ArgumentParser("xscheme ablate", allow_abbrev=False)
    config, _ = Config.parse(Path(conf), parser, [*_OF_GRIDS, *options])
    return config

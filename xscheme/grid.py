"""The work of `xscheme ablate`: a grid of trainings, from a command line to a table."""

import argparse
from pathlib import Path
from typing import List, Optional, Sequence

from asteroid_xscheme.recipes.ablation import Row, ablate, distinct, paper_rows, point_rows
from asteroid_xscheme.recipes.config import Config, ConfigError
from asteroid_xscheme.recipes.data import prepare

#: defaults that suit a grid better than those of a single run
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
    """Run a grid, or the missing part of it.

    Args:
        conf: A conf.yml.
        exp_dir: Folder of the grid.
        seeds: Seeds of every row.
        rows: Names of rows of the paper's grid; if empty, all of them, or none if points are
            compared.
        points: Bridging points to compare; an empty list means the default points.
        jobs: Trainings at a time.
        options: Options of the conf.yml, as on a command line.

    Returns:
        The table, and a line that says where the files are.
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
    """Rows of the paper's grid, rows that compare bridging points, or both in one table."""
    if points is None:
        return paper_rows(rows)
    return distinct(config, [*(paper_rows(rows) if rows else []), *point_rows(config, points)])


def read_config(conf: str, options: Sequence[str]) -> Config:
    """Options from a conf.yml and a command line; --seed is refused, since the grid sets it."""
    if any(option.split("=")[0] == "--seed" for option in options):
        raise ConfigError("A grid has several seeds: use --seeds 1 2 3 instead of --seed.")
    parser = argparse.ArgumentParser("xscheme ablate", allow_abbrev=False)
    config, _ = Config.parse(Path(conf), parser, [*_OF_GRIDS, *options])
    return config

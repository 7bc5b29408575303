"""A grid of trainings, from a command line to a table: the work of `xscheme ablate`."""

import argparse
from pathlib import Path
from typing import List, Optional, Sequence

from asteroid_xscheme.recipes.ablation import Row, ablate, distinct, paper_rows, point_rows
from asteroid_xscheme.recipes.config import Config, ConfigError
from asteroid_xscheme.recipes.data import prepare

#: what a grid has less use for than a single run; options that are given override it
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
        conf: A conf.yml.
        exp_dir: Folder of the grid.
        seeds: Seeds of every row.
        rows: Names of rows of the paper's grid; without any, all of them or, where points are
            compared, none.
        points: Compare these bridging points; none named for the default points.
        jobs: Cells at a time.
        options: Options of the conf.yml, as a command line has them.

    Returns:
        The table and where the files are, in words.
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
    """Options of a conf.yml and a command line, which may not choose a seed: the grid does."""
    if any(option.split("=")[0] == "--seed" for option in options):
        raise ConfigError("A grid has several seeds: give them as --seeds 1 2 3, not by --seed.")
    parser = argparse.ArgumentParser("xscheme ablate", allow_abbrev=False)
    config, _ = Config.parse(Path(conf), parser, [*_OF_GRIDS, *options])
    return config

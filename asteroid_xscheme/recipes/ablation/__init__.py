"""Measure what bridges, MDL and CL contribute: grids of trainings over several seeds.

`ablate` takes options, rows and seeds, and writes a table (Markdown and JSON) and a picture. The
trainings and evaluations run in parallel processes, and finished ones are not repeated.
"""

from .cells import AblationError
from .grid import (
    PAPER_ROWS,
    Cell,
    Row,
    cells_of,
    configure,
    distinct,
    effect_pairs,
    paper_rows,
    point_rows,
)
from .processes import ChildProcesses, Job
from .statistics import (
    Comparison,
    compare,
    compare_pairs,
    holm,
    interval,
    over_seeds,
    signed_rank_p,
)
from .study import Study, ablate

__all__ = [
    "AblationError",
    "Cell",
    "ChildProcesses",
    "Comparison",
    "Job",
    "PAPER_ROWS",
    "Row",
    "Study",
    "ablate",
    "cells_of",
    "compare",
    "compare_pairs",
    "configure",
    "distinct",
    "effect_pairs",
    "holm",
    "interval",
    "over_seeds",
    "paper_rows",
    "point_rows",
    "signed_rank_p",
]

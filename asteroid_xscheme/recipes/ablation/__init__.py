"""What do bridges, MDL and CL bring? Grids of trainings over several seeds, and their statistics.

Options, rows and seeds come in; a table (Markdown, JSON) and a picture come out, made of trainings
and evaluations that run side by side in processes of their own and are never repeated.
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

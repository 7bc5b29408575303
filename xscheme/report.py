"""`xscheme report`: one page to look at and listen to, of one evaluated run or of several."""

from pathlib import Path
from typing import Optional, Sequence

from asteroid_xscheme.recipes.report import write_report


def report(runs: Sequence[str], out: Optional[str] = None) -> str:
    """Write a report.

    Args:
        runs: Folders of evaluated runs.
        out: Folder of the report; None is RUN/report of a single run, ./report of several.

    Returns:
        Where it is and what it says, in words.
    """
    single = Path(runs[0]) / "report" if len(runs) == 1 else Path("report")
    page = write_report([Path(run) for run in runs], Path(out) if out else single)
    table = page.with_name("scores.md").read_text(encoding="utf-8")
    return f"{table}\nLook and listen: {page}"

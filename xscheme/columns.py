"""Print rows of cells in columns, for a terminal."""

from typing import Sequence


def as_columns(rows: Sequence[Sequence[str]]) -> str:
    """One line per row; columns are as wide as their widest cell, two spaces apart."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(cell.ljust(n) for cell, n in zip(row, widths)).rstrip() for row in rows]
    return "\n".join(lines)

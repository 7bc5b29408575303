"""Rows of cells as text in columns, for a terminal."""

from typing import Sequence


def as_columns(rows: Sequence[Sequence[str]]) -> str:
    """A line per row, two spaces between columns as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(cell.ljust(n) for cell, n in zip(row, widths)).rstrip() for row in rows]
    return "\n".join(lines)

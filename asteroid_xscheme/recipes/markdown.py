"""Write rows of cells as a Markdown table that also reads well as plain text."""

from typing import Collection, Sequence


def markdown_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], text: Collection[int] = (0,)
) -> str:
    """A table whose columns are as wide as their widest cell.

    Args:
        header: Names of the columns.
        rows: Rows with one cell per column.
        text: Indices of the columns of words, aligned left; the others are aligned right.
    """
    widths = [max(map(len, column)) for column in zip(header, *rows)]
    lines = [
        [
            cell.ljust(w) if i in text else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(row, widths))
        ]
        for row in (header, *rows)
    ]
    rule = ["-" * w if i in text else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [lines[0], rule, *lines[1:]])

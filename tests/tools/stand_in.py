"""Reconstruct files from the patches for them: the lines that they read, in place.

Lines that no patch reads are filled up. So a test can lay the contribution without a clone.
"""

import re
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Optional, Tuple

_FILE = re.compile(r"^diff --git a/\S+ b/(?P<path>\S+)\n", re.MULTILINE)
_HUNK = re.compile(
    r"^@@ -(?P<start>\d+)\S* \+\S+ @@.*\n(?P<lines>(?:[ +\-\\].*\n|\n)+)", re.MULTILINE
)


class _Line:
    """A line of a file; its text is None until a patch contains it."""

    def __init__(self, text: Optional[str] = None):
        self.text = text
        self.end = "\n"


def files_before(patches: Iterable[Path]) -> Dict[str, str]:
    """{path: text} of the files that a series of patches edits, before the first of them."""
    first: Dict[str, List[_Line]] = {}
    now: Dict[str, List[_Line]] = {}
    for patch in patches:
        for path, is_new, hunks in _edits(patch.read_text(encoding="utf-8")):
            if path not in now:
                now[path] = []
                if not is_new:
                    first[path] = []
            _apply(hunks, now[path], first.get(path, []))
    return {path: _text(lines) for path, lines in first.items()}


def _edits(patch: str) -> Iterator[Tuple[str, bool, List[Tuple[int, List[str]]]]]:
    """Path, whether it is a new file, and (first line, lines) of its hunks."""
    parts = list(_FILE.finditer(patch))
    ends = [part.start() for part in parts[1:]] + [len(patch)]
    for part, end in zip(parts, ends):
        body = patch[part.end() : end]
        hunks = [(int(h["start"]), h["lines"].splitlines()) for h in _HUNK.finditer(body)]
        yield part["path"], "new file mode" in body.partition("@@")[0], hunks


def _apply(hunks: List[Tuple[int, List[str]]], now: List[_Line], first: List[_Line]) -> None:
    for start, lines in reversed(hunks):  # from the end, so that places stay
        index, result = max(0, start - 1), []
        end = index + sum(not line.startswith(("+", "\\")) for line in lines)
        missing = [_Line() for _ in range(end - len(now))]
        now += missing
        first += missing
        old, kept = iter(now[index:end]), _Line()
        for line in lines:
            if line.startswith("\\"):  # "No newline at end of file"
                kept.end = ""
                continue
            kept = _Line(line[1:]) if line.startswith("+") else next(old)
            kept.text = line[1:] if kept.text is None else kept.text
            assert kept.text == line[1:], "a patch reads what one before it does not leave"
            result += [] if line.startswith("-") else [kept]
        now[index:end] = result


def _text(lines: List[_Line]) -> str:
    return "".join(
        (f"# line {n}" if line.text is None else line.text) + line.end
        for n, line in enumerate(lines, 1)
    )

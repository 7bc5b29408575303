"""Rooms import only rooms before them, so that data flows one way."""

import ast
from pathlib import Path

import pytest

import asteroid_xscheme

PACKAGE = Path(asteroid_xscheme.__file__).parent
ROOMS = (
    "version atomic options config download audio stft data bridge checkpoint models export "
    "losses system training wiener separator baselines evaluation report recipe ablation "
    "registration cli"
).split()
FORBIDDEN = {
    "separator": {"data", "losses", "system", "training"},
    "report": set(ROOMS) - {"report"},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path):
    """Names of the rooms that a file imports, wherever in the file it does."""
    package = ["asteroid_xscheme", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = [*base, *(node.module or "").split(".")] if node.module else base
            names = [".".join([*base, alias.name]) for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "asteroid_xscheme" and len(parts) > 1:
                yield parts[1]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_file_imports_only_rooms_before_its_own(path):
    room = room_of(path)
    if room == "__init__":
        return
    assert room in ROOMS, f"Give {path.name} its place in ROOMS and in DESIGN.md, section 2."
    allowed = set(ROOMS[: ROOMS.index(room) + 1]) - FORBIDDEN.get(room, set())
    wrong = {name for name in imported_rooms(path) if name in ROOMS} - allowed
    assert not wrong, f"{path.name} is in room {room!r} and may not import {sorted(wrong)}."


def test_the_reader_of_imports_sees_every_form(tmp_path):
    path = PACKAGE / "models" / "base.py"
    assert {"bridge", "stft", "checkpoint"} <= set(imported_rooms(path))

"""Rooms import only rooms before them, so that data flows one way."""

import ast
from pathlib import Path

import pytest

import asteroid_xscheme

ROOT = Path(asteroid_xscheme.__file__).parents[1]
ADD_ON, KIT = "asteroid_xscheme", "asteroid_xscheme/recipes"
#: wings and their rooms, each importing only what stands before it
ORDER = (
    "demo_songs",
    *(
        f"{ADD_ON}/{room}"
        for room in (
            "version errors hidden atomic download audio dsp bridge bridged_networks weights "
            "losses models separation listening export registration"
        ).split()
    ),
    *(
        f"{KIT}/{room}"
        for room in (
            "machine identity markdown config data system run training baselines evaluation "
            "publication report stages ablation"
        ).split()
    ),
    "xscheme",
)
FORBIDDEN = {
    f"{ADD_ON}/separation": {f"{ADD_ON}/losses"},
}
FILES = sorted(
    path for wing in (ADD_ON, "demo_songs", "xscheme") for path in (ROOT / wing).rglob("*.py")
)


def room_of(name):
    """The room of a dotted name, or of a path in parts; None if it is not ours."""
    parts = [part.removesuffix(".py") for part in name]
    for n_parts in (3, 2, 1):
        room = "/".join(parts[:n_parts])
        if room in ORDER:
            return room
    return None


def imported_rooms(path):
    """Rooms that a file imports from, at any place in the file."""
    package = list(path.relative_to(ROOT).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = [*base, *(node.module.split(".") if node.module else [])]
            names = [[*base, alias.name] for alias in node.names]
        else:
            continue
        yield from filter(None, map(room_of, names))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_imports_only_rooms_before_its_own(path):
    parts = path.relative_to(ROOT).parts
    room = room_of(parts)
    if parts[-1] == "__init__.py" and room is None:
        return  # the doors of the add-on and of the kit
    assert room, f"Give {'/'.join(parts)} its place in ORDER and in DESIGN.md, section 2."
    allowed = set(ORDER[: ORDER.index(room) + 1]) - FORBIDDEN.get(room, set())
    if parts[:4] != ("asteroid_xscheme", "recipes", "data", "demo.py") and room != "demo_songs":
        allowed -= {"demo_songs"}
    wrong = set(imported_rooms(path)) - allowed
    assert not wrong, f"{'/'.join(parts)} is in room {room} and may not import {sorted(wrong)}."


def test_every_form_of_import_is_checked():
    path = ROOT / "asteroid_xscheme" / "models" / "bridged_models.py"
    seen = set(imported_rooms(path))
    assert {f"{ADD_ON}/{room}" for room in ("bridge", "weights")} <= seen

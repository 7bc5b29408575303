"""A file of this package in, the same file under asteroid's names out.

Modules are renamed by `NAMES`, relative imports follow them, definitions that have no place there
are dropped, and texts are replaced exactly. No step guesses: what is not found is an
error, so that a change on either side is seen when the contribution is laid and not in a review.
"""

import ast
import re
from pathlib import PurePosixPath
from typing import List, NamedTuple, Sequence

#: Our modules and theirs; a module that is not listed is renamed with the one that holds it.
NAMES = {
    "asteroid_xscheme.bridge": "asteroid.bridge",
    "asteroid_xscheme.weights": "asteroid.utils.loading_utils",
    "asteroid_xscheme.losses": "asteroid.losses",
    "asteroid_xscheme.models": "asteroid.models",
    "asteroid_xscheme.models.base": "asteroid.models.bridged_models",
    "asteroid_xscheme.models.conv_tasnet": "asteroid.models.conv_tasnet_network",
    "asteroid_xscheme.dsp.stft": "asteroid.dsp.stft",
}
_OURS = re.compile(r"\basteroid_xscheme((?:\.\w+)*)")
_IMPORT = re.compile(r"^(?P<indent> *)from (?P<module>\.*[\w.]*) import ", re.MULTILINE)
_EDIT = re.compile(
    r"^<<<<<<< (?P<path>\S+)\n(?P<old>.*?)^=======\n(?P<new>.*?)^>>>>>>>$", re.MULTILINE | re.DOTALL
)


class PortingError(ValueError):
    """Something that the contribution counts on is not there; one sentence says what."""


class Edit(NamedTuple):
    """A text in a file of asteroid and what stands in its place."""

    path: str
    old: str
    new: str


def read_edits(text: str) -> List[Edit]:
    """The edits of an edits.txt, which has the form of git's conflicts.

    Each is `<<<<<<< PATH`, the lines that are there, `=======`, the lines that come in their place,
    `>>>>>>>`. Between edits there may be comments.
    """
    return [Edit(match["path"], match["old"], match["new"]) for match in _EDIT.finditer(text)]


def apply_edit(text: str, edit: Edit) -> str:
    """A text after an edit.

    Raises:
        PortingError: Unless the old text stands in it once.
    """
    count = text.count(edit.old)
    if count != 1:
        first = next(line for line in edit.old.splitlines() if line.strip()).strip()
        found = "is not in" if count == 0 else f"stands {count} times in"
        raise PortingError(f"The text of an edit, at {first!r}, {found} {edit.path}.")
    return text.replace(edit.old, edit.new)


def rename(module: str) -> str:
    """The name in asteroid of one of our modules, or of something in it.

    Raises:
        PortingError: If it has no place there.
    """
    parts = module.split(".")
    for n_parts in range(len(parts), 1, -1):
        known = ".".join(parts[:n_parts])
        if known in NAMES:
            return ".".join([NAMES[known], *parts[n_parts:]])
    raise PortingError(f"{module} has no place in asteroid; give it one in NAMES of porting.py.")


def target_path(source: str) -> str:
    """The path in asteroid of a file of ours: that of its module, or the same."""
    if not source.startswith("asteroid_xscheme/"):
        return source
    return rename(_module_of(source)).replace(".", "/") + ".py"


def port(text: str, source: str, target: str, drop: Sequence[str] = ()) -> str:
    """The text of one of our Python files as asteroid's.

    Args:
        text: What is in it.
        source: Its path in our repository; a recipe's script stays as it is.
        target: Its path in asteroid.
        drop: Definitions to leave out, as "function", "Class" or "Class.method".

    Raises:
        PortingError: If a definition is missing or a module has no place in asteroid.
    """
    for name in drop:
        text = drop_definition(text, name, source)
    if source.startswith("egs/"):
        return text
    text = _IMPORT.sub(lambda match: _import(match, source, target), text)
    return _OURS.sub(lambda match: rename(match[0]), text)


def drop_definition(text: str, name: str, source: str) -> str:
    """A module's text without a function, class or method, its decorators and the lines before."""
    body: Sequence[ast.stmt] = ast.parse(text).body
    for part in name.split("."):
        found = [node for node in body if getattr(node, "name", None) == part]
        if not found:
            raise PortingError(f"There is no {name} in {source} to leave out.")
        node = found[0]
        body = getattr(node, "body", [])
    start = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]) - 1
    lines = text.splitlines(keepends=True)
    while start > 0 and not lines[start - 1].strip():
        start -= 1
    return "".join(lines[:start] + lines[node.end_lineno :])


def _import(match: "re.Match", source: str, target: str) -> str:
    """One `from ... import ` of ours as it stands in asteroid."""
    module = _absolute(match["module"], source)
    if module.partition(".")[0] == "asteroid_xscheme":
        module = rename(module)
    if match["module"].startswith("."):
        module = _relative(module, target)
    return f"{match['indent']}from {module} import "


def _absolute(module: str, source: str) -> str:
    level = len(module) - len(module.lstrip("."))
    if level == 0:
        return module
    package = list(PurePosixPath(source).parts[:-level])
    return ".".join([*package, module[level:]]).rstrip(".")


def _relative(module: str, target: str) -> str:
    package, parts = list(PurePosixPath(target).parts[:-1]), module.split(".")
    common = 0
    while common < min(len(package), len(parts)) and package[common] == parts[common]:
        common += 1
    return "." * (1 + len(package) - common) + ".".join(parts[common:])


def _module_of(source: str) -> str:
    path = PurePosixPath(source).with_suffix("")
    return ".".join(path.parts[:-1] if path.name == "__init__" else path.parts)

"""An asteroid checkout in, a branch in it with our contribution as small commits out.

    python tools/upstream.py CHECKOUT [--branch NAME]

The contribution is the folder tools/upstream, one folder per commit, in order:

- step.yml: `title` and `text` of the commit and of its pull request; `port`, our files (as "OURS ->
  THEIRS" where the path does not follow from the module); `drop`, definitions to leave out of
  them; `replace`, whether ported files may exist; `remove`, their files that go;
- files/: new files, as they are to stand in asteroid;
- edits.txt: exact replacements in files of asteroid, or in what was just ported, see `porting`.

It is laid in a temporary work tree, so that a checkout gets the whole branch or is left alone.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import yaml
from porting import Edit, PortingError, apply_edit, port, read_edits, target_path

REPOSITORY = Path(__file__).resolve().parents[1]
CONTRIBUTION = Path(__file__).resolve().parent / "upstream"
BRANCH = "x-scheme"


class UpstreamError(RuntimeError):
    """The contribution cannot be laid; one sentence says why and what to do."""


class Step(NamedTuple):
    """One commit of the contribution; see the module's docstring."""

    folder: Path
    title: str
    text: str
    ported: List[Tuple[str, str]]
    drop: Dict[str, List[str]]
    replace: List[str]
    remove: List[str]
    edits: List[Edit]

    @property
    def files(self) -> List[str]:
        """Paths of the new files of this step."""
        root = self.folder / "files"
        found = (path for path in root.rglob("*") if path.is_file())
        return sorted(p.relative_to(root).as_posix() for p in found if "__pycache__" not in p.parts)


def read_steps(contribution: Path) -> List[Step]:
    """The steps of a contribution in the order of their folders."""
    return [_read_step(path.parent) for path in sorted(contribution.glob("*/step.yml"))]


def _read_step(folder: Path) -> Step:
    options = yaml.safe_load((folder / "step.yml").read_text(encoding="utf-8"))
    edits = folder / "edits.txt"
    return Step(
        folder=folder,
        title=options.pop("title"),
        text=options.pop("text").strip(),
        ported=[_source_and_target(entry) for entry in options.pop("port", [])],
        drop=options.pop("drop", {}),
        replace=options.pop("replace", []),
        remove=options.pop("remove", []),
        edits=read_edits(edits.read_text(encoding="utf-8")) if edits.is_file() else [],
        **options,  # nothing: an unknown key is an error
    )


def _source_and_target(entry: str) -> Tuple[str, str]:
    source, _, target = entry.partition(" -> ")
    return source, target or target_path(source)


def lay(checkout: Path, branch: str, contribution: Path) -> List[Step]:
    """Lay the contribution over an asteroid checkout as a new branch, and check it out.

    Args:
        checkout: Root of a clean git checkout of asteroid; its HEAD is what the branch stands on.
        branch: Name of the branch, which must not exist.
        contribution: Folder of the steps.

    Returns:
        The steps, a commit each.

    Raises:
        UpstreamError: If the checkout cannot take it; it is then left as it was.
        PortingError: If a text of asteroid or of ours is not what the contribution expects.
    """
    check_checkout(checkout, branch)
    steps = read_steps(contribution)
    with _work_tree(checkout, branch) as tree:
        for step in steps:
            try:
                _commit(step, tree)
            except PortingError as error:
                raise PortingError(f"{step.folder.name}: {error}") from error
    _git(checkout, "checkout", "--quiet", branch)
    return steps


def check_checkout(checkout: Path, branch: str) -> None:
    """Raise UpstreamError unless this is a clean asteroid checkout without that branch."""
    setup = checkout / "setup.py"
    if not setup.is_file() or 'name="asteroid"' not in setup.read_text(encoding="utf-8"):
        raise UpstreamError(
            f"{checkout} is no asteroid checkout: expected a clone of asteroid-team/asteroid."
        )
    top = _git(checkout, "rev-parse", "--show-toplevel", "--is-inside-work-tree", check=False)
    if not top or Path(top.splitlines()[0]).resolve() != checkout.resolve():
        raise UpstreamError(f"{checkout} is not the root of a git checkout: clone asteroid there.")
    if _git(checkout, "status", "--porcelain"):
        raise UpstreamError(f"{checkout} has changes of its own: commit or remove them first.")
    if _git(checkout, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}", check=False):
        raise UpstreamError(
            f"{checkout} has a branch {branch} already: give another with --branch."
        )


@contextmanager
def _work_tree(checkout: Path, branch: str) -> Iterator[Path]:
    """A temporary work tree on a new branch; the branch goes again if anything fails in it."""
    scratch = Path(tempfile.mkdtemp(prefix="upstream-"))
    tree = scratch / "asteroid"
    _git(checkout, "worktree", "add", "--quiet", "-b", branch, str(tree))
    try:
        yield tree
    except BaseException:
        _git(checkout, "worktree", "remove", "--force", str(tree))
        _git(checkout, "branch", "--quiet", "-D", branch)
        raise
    else:
        _git(checkout, "worktree", "remove", "--force", str(tree))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _commit(step: Step, tree: Path) -> None:
    for path in step.remove:
        _git(tree, "rm", "--quiet", "-r", path)
    laid = [*_port(step, tree), *_add(step, tree)]
    for edit in step.edits:
        path = tree / edit.path
        if not path.is_file():
            raise PortingError(f"There is no {edit.path} to edit in this asteroid.")
        path.write_text(apply_edit(path.read_text(encoding="utf-8"), edit), encoding="utf-8")
    _format(tree, laid)  # edits of asteroid's own files are written as black would
    _git(tree, "add", "--all")
    _git(tree, "commit", "--quiet", "-m", step.title, "-m", step.text)


def _port(step: Step, tree: Path) -> List[str]:
    for source, target in step.ported:
        origin, destination = REPOSITORY / source, _new(step, tree, target)
        shutil.copy(origin, destination)
        if origin.suffix == ".py":
            text = origin.read_text(encoding="utf-8")
            text = port(text, source, target, step.drop.get(source, ()))
            destination.write_text(text, encoding="utf-8")
    return [target for _, target in step.ported]


def _add(step: Step, tree: Path) -> List[str]:
    for path in step.files:
        shutil.copy(step.folder / "files" / path, _new(step, tree, path))
    return step.files


def _new(step: Step, tree: Path, path: str) -> Path:
    """Where a file goes, which must not be there unless the step says that it replaces it."""
    destination = tree / path
    if destination.exists() != (path in step.replace):
        state = "there already" if destination.exists() else "not there to be replaced"
        raise PortingError(f"{path} is {state} in this asteroid.")
    destination.parent.mkdir(parents=True, exist_ok=True)
    return destination


def _format(tree: Path, paths: Sequence[str]) -> None:
    scripts = [str(tree / path) for path in paths if path.endswith(".py")]
    if scripts:
        command = [sys.executable, "-m", "black", "--quiet", f"--config={tree / 'pyproject.toml'}"]
        _run([*command, *scripts])


def _git(folder: Path, *arguments: str, check: bool = True) -> str:
    return _run(["git", "-C", str(folder), *arguments], check)


def _run(command: Sequence[str], check: bool = True) -> str:
    """What a command prints; where it fails, an error in its own words, or nothing."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        return done.stdout.strip()
    if check:
        said = " ".join((done.stderr or done.stdout).split())
        raise UpstreamError(f"`{' '.join(command[:6])} ...` failed: {said}")
    return ""


def describe(step: Step, number: int, total: int) -> str:
    """The text of a step's pull request."""
    # As on GitHub, where a line end is a line end: a paragraph or an item of a list is a line.
    text = re.sub(r"(?<!\n)\n *(?![\n -])", " ", step.text)
    return f"--- pull request {number} of {total}\n{step.title}\n\n{text}\n"


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("checkout", help="root of a clean git checkout of asteroid")
    parser.add_argument("--branch", default=BRANCH, help="branch to make (default: %(default)s)")
    options = parser.parse_args(arguments)
    if not options.checkout:
        parser.error("name an asteroid checkout: make upstream ASTEROID=path")
    try:
        steps = lay(Path(options.checkout), options.branch, CONTRIBUTION)
    except (UpstreamError, PortingError) as error:
        print(f"upstream: {error}", file=sys.stderr)
        return 1
    print(f"Branch {options.branch} of {options.checkout}: {len(steps)} commits.\n")
    for number, step in enumerate(steps, start=1):
        print(describe(step, number, len(steps)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

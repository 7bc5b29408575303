"""An asteroid checkout in, a branch in it with our contribution as small commits out.

    python tools/upstream.py CHECKOUT [--branch NAME] [--patches DIR]

tools/upstream/series.yml lists the commits in order. Each has

- `patch`: a file of tools/upstream/patches in the format of `git format-patch`: the message, which
  is also the text of the pull request, and the edits of asteroid's own files;
- `copy`: our files (or folders, which replace theirs) and where they go in asteroid, as they are.

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
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence

import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
SERIES = Path(__file__).resolve().parent / "upstream" / "series.yml"
BRANCH = "x-scheme"
#: keeps asteroid's tags in the title, and the line ends of files from Windows
AM = ("am", "--quiet", "-3", "--keep-non-patch", "--keep-cr")


class UpstreamError(RuntimeError):
    """The contribution cannot be laid; one sentence says why and what to do."""


class Step(NamedTuple):
    """One commit of the contribution; see the module's docstring."""

    patch: Path
    copies: Dict[str, str]

    @property
    def title(self) -> str:
        """First line of the commit's message."""
        header = self.patch.read_text(encoding="utf-8").partition("\n\n")[0]
        subject = re.sub(r"\n ", " ", header).partition("Subject: ")[2].splitlines()[0]
        return subject.replace("[PATCH] ", "", 1)


def read_steps(series: Path) -> List[Step]:
    """The commits that a series.yml lists."""
    entries = yaml.safe_load(series.read_text(encoding="utf-8"))
    return [_read_step(series.parent / "patches", **entry) for entry in entries]


def _read_step(folder: Path, patch: str, copy: Optional[Dict[str, str]] = None) -> Step:
    return Step(folder / patch, copy or {})


def lay(checkout: Path, branch: str, series: Path) -> List[str]:
    """Lay the contribution over an asteroid checkout as a new branch, and check it out.

    Args:
        checkout: Root of a clean git checkout of asteroid; its HEAD is what the branch stands on.
        branch: Name of the branch, which must not exist.
        series: The series.yml.

    Returns:
        The messages of the commits.

    Raises:
        UpstreamError: If the checkout cannot take it; it is then left as it was.
    """
    steps = read_steps(series)
    check_checkout(checkout, branch, steps)
    with _work_tree(checkout, branch) as tree:
        for step in steps:
            _commit(step, tree)
    _git(checkout, "checkout", "--quiet", branch)
    log = _git(checkout, "log", "--reverse", f"-{len(steps)}", "--format=%B%x00")
    return [message.strip() for message in log.split("\0")[:-1]]


def check_checkout(checkout: Path, branch: str, steps: Sequence[Step]) -> None:
    """Raise UpstreamError unless this is a clean asteroid checkout without the contribution."""
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
    known = set(_git(checkout, "log", "--format=%s").splitlines())
    laid = [step.title for step in steps if step.title in known]
    if laid:
        raise UpstreamError(
            f"{checkout} holds {len(laid)} of the {len(steps)} commits already, such as "
            f"{laid[0]!r}: check out the master first."
        )
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
    try:
        _git(tree, *AM, str(step.patch))
    except UpstreamError as error:
        raise UpstreamError(
            f"{step.patch.name} does not apply, so this is not the asteroid it was made for: "
            f"bring the patch up to date. {error}"
        ) from error
    for source, target in step.copies.items():
        copy(REPOSITORY / source, tree / target)
    _git(tree, "add", "--all")
    _git(tree, "commit", "--quiet", "--amend", "--no-edit", "--reset-author")


def copy(source: Path, target: Path) -> None:
    """Copy a file with its mode, or a folder with its links in the place of what is there."""
    if not source.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
        return
    shutil.rmtree(target, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(source, target, symlinks=True, ignore=ignored)


def _git(folder: Path, *arguments: str, check: bool = True) -> str:
    """What git prints; where it fails, an error in its own words, or nothing."""
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        return done.stdout.strip()
    if check:
        said = " ".join((done.stderr or done.stdout).split())
        raise UpstreamError(f"`git {' '.join(arguments[:3])} ...` failed: {said}")
    return ""


def describe(message: str, number: int, total: int) -> str:
    """The text of a commit's pull request."""
    # As on GitHub, where a line end is a line end: a paragraph or an item of a list is a line.
    text = re.sub(r"(?<!\n)\n *(?![\n -])", " ", message)
    return f"--- pull request {number} of {total}\n{text}\n"


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("checkout", help="root of a clean git checkout of asteroid")
    parser.add_argument("--branch", default=BRANCH, help="branch to make (default: %(default)s)")
    parser.add_argument(
        "--patches",
        help="folder to write the commits to, as files for `git am --keep-non-patch --keep-cr`",
    )
    options = parser.parse_args(arguments)
    if not options.checkout:
        parser.error("name an asteroid checkout: make upstream ASTEROID=path")
    checkout = Path(options.checkout)
    try:
        messages = lay(checkout, options.branch, SERIES)
        if options.patches:
            folder = Path(options.patches).resolve()
            _git(checkout, "format-patch", "--quiet", f"-{len(messages)}", "-o", str(folder))
    except UpstreamError as error:
        print(f"upstream: {error}", file=sys.stderr)
        return 1
    print(f"Branch {options.branch} of {checkout}: {len(messages)} commits.\n")
    for number, message in enumerate(messages, start=1):
        print(describe(message, number, len(messages)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

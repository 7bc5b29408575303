"""`make upstream`, applied to a stand-in for asteroid with just the lines that it edits.

With the environment variable ASTEROID, the path of a clone, it is laid over a copy of that too.
"""

import ast
import importlib
import importlib.util
import io
import os
import re
import subprocess
import tarfile
from pathlib import Path, PurePosixPath

import pytest

from .stand_in import files_before

TOOLS = Path(__file__).parents[2] / "tools"


def git(folder, *arguments, text=True):
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=text).stdout


def write(root, files):
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def make_checkout(root, files):
    """A git checkout of an "asteroid" of these files."""
    write(root, {"setup.py": 'name="asteroid"\n', **files})
    git(root, "init", "--quiet", "--initial-branch=master")
    identify(root)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "-m", "Stand-in")
    return root


def identify(root):
    git(root, "config", "user.name", "A Tester")
    git(root, "config", "user.email", "tester@example.org")


@pytest.fixture(scope="module")
def upstream():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(TOOLS)
        yield importlib.import_module("upstream")


@pytest.fixture(scope="module")
def steps(upstream):
    return upstream.read_steps(upstream.SERIES)


@pytest.fixture(scope="module")
def laid(upstream, steps, tmp_path_factory):
    """The stand-in with the whole contribution applied."""
    files = files_before(step.patch for step in steps)
    files["setup.py"] = files["setup.py"].replace("# line 1\n", 'name="asteroid"\n')
    checkout = make_checkout(tmp_path_factory.mktemp("asteroid"), files)
    upstream.lay(checkout, upstream.BRANCH, upstream.SERIES)
    return checkout


def read_commits(checkout):
    """{path: text} of all files, commit after commit of the branch."""
    for commit in git(checkout, "rev-list", "--reverse", "master..HEAD").split():
        archive = io.BytesIO(git(checkout, "archive", "--format=tar", commit, text=False))
        with tarfile.open(fileobj=archive) as tar:
            files = (member for member in tar if member.isfile())
            yield {file.name: tar.extractfile(file).read().decode() for file in files}


def new_scripts(checkout, since="master"):
    """Paths of the Python files that the branch adds."""
    names = git(checkout, "diff", "--name-only", "--diff-filter=A", since, "HEAD").splitlines()
    return [name for name in names if name.endswith(".py")]


def modules_imported(path, text):
    """Full names of asteroid's modules that a file imports from."""
    package = PurePosixPath(path).parts[:-1]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            name = ".".join([*base, *([node.module] if node.module else [])])
            if name.startswith("asteroid."):
                yield name


def test_contribution_is_one_commit_for_each_step_with_a_tag_of_asteroid(laid, steps):
    titles = git(laid, "log", "--reverse", "--format=%s", "master..").splitlines()
    assert titles == [step.title for step in steps]
    for title in titles:
        assert re.match(r"\[(src|egs|docs|install)(&tests)?\] [A-Z]", title)
        assert len(title) <= 80


def test_checkout_stays_clean_and_on_the_branch(laid):
    assert git(laid, "branch", "--show-current") == "x-scheme\n"
    assert not git(laid, "status", "--porcelain")
    assert len(git(laid, "worktree", "list").splitlines()) == 1


def test_commits_have_the_author_of_the_user(laid):
    authors = git(laid, "log", "--format=%an <%ae>", "master..").splitlines()
    assert set(authors) == {"A Tester <tester@example.org>"}


def test_copies_equal_the_originals_byte_for_byte(laid, steps):
    repository = TOOLS.parent
    for source, target in (pair for step in steps for pair in step.copies.items()):
        sources = [repository / source]
        if sources[0].is_dir():
            found = (repository / source).rglob("*")
            sources = [p for p in found if p.is_file() and "__pycache__" not in p.parts]
        for path in sources:
            copied = laid / target / path.relative_to(repository / source)
            assert copied.read_bytes() == path.read_bytes(), copied
            assert os.access(copied, os.X_OK) == os.access(path, os.X_OK)


def test_no_code_in_asteroid_names_our_package_or_writes_gradients_by_hand(laid):
    for path in laid.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "xscheme" not in text, path
        assert "autograd.Function" not in text, path


def test_scripts_are_python_that_asteroid_supports(laid):
    for path in new_scripts(laid):
        ast.parse((laid / path).read_text(encoding="utf-8"), feature_version=(3, 8))


def test_every_commit_contains_the_modules_it_imports(laid):
    installed = Path(importlib.util.find_spec("asteroid").origin).parents[1]
    added = new_scripts(laid)
    for tree in read_commits(laid):
        for path in (path for path in added if path in tree):
            for module in modules_imported(path, tree[path]):
                file = module.replace(".", "/")
                known = (installed / file).is_dir() or (installed / f"{file}.py").is_file()
                assert known or f"{file}.py" in tree, f"{path} imports {module}"


MESSAGE = (
    "From: A <a@example.org>\nSubject: [PATCH] [src] Say more\n\nBecause it\nis short.\n\n- one\n"
)
EDIT = """ asteroid/a.py | 2 +-

diff --git a/asteroid/a.py b/asteroid/a.py
--- a/asteroid/a.py
+++ b/asteroid/a.py
@@ -1,2 +1,2 @@
 w = 0
-x = 1
+x = 2
"""
PATCH = f"{MESSAGE}  item\n---\n{EDIT}"


@pytest.fixture
def small(tmp_path, monkeypatch, upstream):
    """A checkout of two files, and a series of one commit that edits one and replaces the other."""
    files = {"asteroid/a.py": "w = 0\nx = 1\n", "egs/old.py": "\n"}
    checkout = make_checkout(tmp_path / "clone", files)
    series = "- patch: 01.patch\n  copy: {new: egs, run.sh: run.sh}\n"
    write(tmp_path / "upstream", {"series.yml": series, "patches/01.patch": PATCH})
    write(tmp_path / "ours", {"new/b.py": "y  =  'z'\n", "run.sh": "#!/bin/sh\n"})
    (tmp_path / "ours/run.sh").chmod(0o755)
    (tmp_path / "ours/new/link").symlink_to("b.py")
    monkeypatch.setattr(upstream, "SERIES", tmp_path / "upstream" / "series.yml")
    monkeypatch.setattr(upstream, "REPOSITORY", tmp_path / "ours")
    return checkout


def lay_small(upstream, checkout, branch="mine"):
    return upstream.lay(checkout, branch, upstream.SERIES)


def test_commit_has_its_patch_and_copies_with_modes_and_links(upstream, small):
    lay_small(upstream, small)
    assert (small / "asteroid/a.py").read_text() == "w = 0\nx = 2\n"
    assert sorted(p.name for p in (small / "egs").iterdir()) == ["b.py", "link"]
    assert (small / "egs/b.py").read_text() == "y  =  'z'\n"
    assert os.readlink(small / "egs/link") == "b.py"
    assert os.access(small / "run.sh", os.X_OK)
    assert git(small, "log", "--format=%s", "master..mine") == "[src] Say more\n"


def test_command_prints_texts_with_a_line_for_each_paragraph_and_item(upstream, small, capsys):
    assert upstream.main([str(small), "--branch", "mine"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"Branch mine of {small}: 1 commits.\n\n--- pull request 1 of 1\n")
    assert "\n[src] Say more\n\nBecause it is short.\n\n- one item\n" in printed


def test_commits_are_written_as_patches_that_make_the_same_branch(upstream, small, tmp_path):
    assert upstream.main([str(small), "--branch", "mine", "--patches", str(tmp_path / "out")]) == 0
    (patch,) = (tmp_path / "out").iterdir()
    git(small, "checkout", "--quiet", "master")
    git(small, *upstream.AM, str(patch))
    assert not git(small, "diff", "mine")
    assert git(small, "log", "-1", "--format=%B") == git(small, "log", "-1", "--format=%B", "mine")


def test_command_reports_problems_in_one_sentence(upstream, tmp_path, capsys):
    assert upstream.main([str(tmp_path)]) == 1
    assert re.fullmatch(r"upstream: .* is no asteroid checkout: .*\.\n", capsys.readouterr().err)
    with pytest.raises(SystemExit):
        upstream.main([""])
    assert "make upstream ASTEROID=path" in capsys.readouterr().err


@pytest.mark.parametrize(
    "make_wrong, message",
    (
        (lambda root: (root / "note.txt").write_text("x"), "has changes of its own"),
        (lambda root: git(root, "branch", "mine"), "has a branch mine already"),
        (lambda root: (root / "setup.py").unlink(), "is no asteroid checkout"),
        (lambda root: (root / ".git").rename(root / "git"), "is not the root of a git checkout"),
    ),
)
def test_unusable_checkout_is_refused(upstream, small, make_wrong, message):
    make_wrong(small)
    with pytest.raises(upstream.UpstreamError, match=message):
        lay_small(upstream, small)
    assert (small / "asteroid/a.py").read_text() == "w = 0\nx = 1\n"


def test_checkout_that_has_the_contribution_is_refused_with_that_reason(upstream, small):
    lay_small(upstream, small)
    with pytest.raises(upstream.UpstreamError, match="holds 1 of the 1 commits already, such as"):
        lay_small(upstream, small, branch="other")


@pytest.mark.parametrize("wrong", (PATCH.replace("x = 1", "x = 7"), PATCH.replace("a.py", "b.py")))
def test_failed_patch_is_an_error_and_leaves_the_checkout_unchanged(upstream, small, wrong):
    write(upstream.SERIES.parent, {"patches/01.patch": wrong})
    with pytest.raises(upstream.UpstreamError, match="01.patch does not apply, .* failed: "):
        lay_small(upstream, small)
    assert git(small, "branch", "--format=%(refname:short)") == "master\n"
    assert len(git(small, "worktree", "list").splitlines()) == 1
    assert not git(small, "status", "--porcelain")


@pytest.mark.skipif("ASTEROID" not in os.environ, reason="ASTEROID names no clone of asteroid")
def test_contribution_applies_to_asteroid(upstream, steps, tmp_path):
    clone = tmp_path / "asteroid"
    git(tmp_path, "clone", "--quiet", os.environ["ASTEROID"], str(clone))
    identify(clone)
    upstream.lay(clone, upstream.BRANCH, upstream.SERIES)
    assert len(git(clone, "log", "--format=%h", "HEAD@{1}..HEAD").split()) == len(steps)

"""`make upstream`: laid over a stand-in for asteroid that holds just the texts it edits.

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

TOOLS = Path(__file__).parents[2] / "tools"
BLACK = '[tool.black]\nline-length = 100\ntarget-version = ["py38"]\n'


def git(folder, *arguments, text=True):
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=text).stdout


def write(root, files):
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def make_checkout(root, files):
    """A git checkout of an "asteroid" of these files."""
    write(root, {"setup.py": 'name="asteroid"\n', "pyproject.toml": BLACK, **files})
    git(root, "init", "--quiet", "--initial-branch=master")
    identify(root)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "-m", "Stand-in")
    return root


def identify(root):
    git(root, "config", "user.name", "A Tester")
    git(root, "config", "user.email", "tester@example.org")


def texts_to_edit(steps):
    """Files that hold what the steps expect of asteroid, and nothing else."""
    before, after, ours = {}, {}, set()
    for step in steps:
        for path in step.replace:
            if path not in ours:
                before.setdefault(path, "\n")
        before.update({f"{path}/old.py": "\n" for path in step.remove})
        ours.update(step.files, (target for _, target in step.ported))
        for path, old, new in step.edits:
            if path in ours:
                continue
            if old not in after.get(path, ""):
                before[path] = before.get(path, "") + old
                after[path] = after.get(path, "") + old
            after[path] = after[path].replace(old, new)
    before["setup.py"] = 'name="asteroid"\n' + before["setup.py"]
    return before


@pytest.fixture(scope="module")
def upstream():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(TOOLS)
        yield importlib.import_module("upstream")


@pytest.fixture(scope="module")
def porting(upstream):
    return importlib.import_module("porting")


@pytest.fixture(scope="module")
def steps(upstream):
    return upstream.read_steps(upstream.CONTRIBUTION)


@pytest.fixture(scope="module")
def laid(upstream, steps, tmp_path_factory):
    """The stand-in with the whole contribution."""
    checkout = make_checkout(tmp_path_factory.mktemp("asteroid"), texts_to_edit(steps))
    upstream.lay(checkout, upstream.BRANCH, upstream.CONTRIBUTION)
    return checkout


def read_commits(checkout):
    """{path: text} of all files, commit after commit of the branch."""
    for commit in git(checkout, "rev-list", "--reverse", "master..HEAD").split():
        archive = io.BytesIO(git(checkout, "archive", "--format=tar", commit, text=False))
        with tarfile.open(fileobj=archive) as tar:
            files = (member for member in tar if member.isfile())
            yield {file.name: tar.extractfile(file).read().decode() for file in files}


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
        assert re.match(r"\[(src|tests|egs|docs|install|src&tests)\] [A-Z]", title)
        assert len(title) <= 80


def test_checkout_is_left_clean_and_on_the_branch(laid):
    assert git(laid, "branch", "--show-current") == "x-scheme\n"
    assert not git(laid, "status", "--porcelain")
    assert len(git(laid, "worktree", "list").splitlines()) == 1


def test_nothing_in_asteroid_or_its_tests_names_our_package(laid):
    for root in ("asteroid", "tests"):
        named = [p for p in (laid / root).rglob("*.py") if "xscheme" in p.read_text("utf-8")]
        assert not named


def test_scripts_are_python_that_asteroid_supports(laid, steps):
    for step in steps:
        for path in (*step.files, *(target for _, target in step.ported)):
            if path.endswith(".py"):
                ast.parse((laid / path).read_text(encoding="utf-8"), feature_version=(3, 8))


def test_every_commit_brings_the_modules_that_it_imports(laid, steps):
    installed = Path(importlib.util.find_spec("asteroid").origin).parents[1]
    ours = set()
    for step, tree in zip(steps, read_commits(laid), strict=True):
        ours.update(step.files, (target for _, target in step.ported))
        for path in (path for path in ours if path.endswith(".py")):
            for module in modules_imported(path, tree[path]):
                file = module.replace(".", "/")
                known = (installed / file).is_dir() or (installed / f"{file}.py").is_file()
                assert known or f"{file}.py" in tree, f"{path} imports {module}"


def test_recipes_keep_what_they_need_of_our_package_and_can_be_run(laid):
    for recipe in ("X-UMX", "X-D3Net", "X-ConvTasNet"):
        folder = laid / "egs" / "musdb18" / recipe
        assert "from asteroid_xscheme" in (folder / "train.py").read_text(encoding="utf-8")
        assert os.access(folder / "run.sh", os.X_OK)
        assert "make setup" not in (folder / "README.md").read_text(encoding="utf-8")


STEP = "title: '[src] Say more'\ntext: |\n  Because it\n  is short.\n\n  - one\n    item\n"
EDIT = "<<<<<<< asteroid/a.py\nx = 1\n=======\nx = 2\n>>>>>>>\n"


@pytest.fixture
def small(tmp_path, monkeypatch, upstream):
    """A checkout of one file, and a contribution of one step that edits it."""
    checkout = make_checkout(tmp_path / "clone", {"asteroid/a.py": "w = 0\nx = 1\n"})
    write(tmp_path / "contribution", {"01/step.yml": STEP, "01/edits.txt": EDIT})
    write(tmp_path / "contribution", {"01/files/asteroid/new.py": "y  =  'z'\n"})
    monkeypatch.setattr(upstream, "CONTRIBUTION", tmp_path / "contribution")
    return checkout


def lay_small(upstream, checkout, branch="mine"):
    return upstream.lay(checkout, branch, upstream.CONTRIBUTION)


def test_step_is_a_commit_of_edits_and_formatted_new_files(upstream, small):
    lay_small(upstream, small)
    assert (small / "asteroid/a.py").read_text() == "w = 0\nx = 2\n"
    assert (small / "asteroid/new.py").read_text() == 'y = "z"\n'
    assert git(small, "log", "--format=%s", "master..mine") == "[src] Say more\n"


def test_texts_of_pull_requests_have_a_line_for_each_paragraph_and_item(upstream, small):
    (step,) = lay_small(upstream, small)
    text = upstream.describe(step, 1, 1)
    assert "\n[src] Say more\n\nBecause it is short.\n\n- one item\n" in text


def test_command_prints_the_branch_and_the_texts(upstream, small, capsys):
    assert upstream.main([str(small), "--branch", "mine"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"Branch mine of {small}: 1 commits.")
    assert "pull request 1 of 1" in printed


def test_command_says_what_is_wrong_in_one_sentence(upstream, tmp_path, capsys):
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


@pytest.mark.parametrize(
    "files, message",
    (
        ({"01/edits.txt": EDIT.replace("x = 1", "x = 7")}, "at 'x = 7', is not in asteroid/a.py"),
        ({"01/edits.txt": EDIT.replace("a.py", "b.py")}, "no asteroid/b.py to edit"),
        ({"01/files/asteroid/a.py": "\n"}, "asteroid/a.py is there already"),
        ({"01/step.yml": STEP + "replace: [asteroid/new.py]\n"}, "is not there to be replaced"),
    ),
)
def test_checkout_of_another_asteroid_is_an_error_and_left_as_it_was(
    upstream, small, files, message
):
    write(upstream.CONTRIBUTION, files)
    with pytest.raises(upstream.PortingError, match=f"01: .*{message}"):
        lay_small(upstream, small)
    assert git(small, "branch", "--format=%(refname:short)") == "master\n"
    assert len(git(small, "worktree", "list").splitlines()) == 1
    assert not git(small, "status", "--porcelain")


def test_failing_command_is_an_error_in_its_words(upstream, small):
    write(upstream.CONTRIBUTION, {"01/files/asteroid/new.py": "def\n"})
    with pytest.raises(upstream.UpstreamError, match="black .* failed: .*[Cc]annot parse"):
        lay_small(upstream, small)
    assert git(small, "branch", "--format=%(refname:short)") == "master\n"


def test_text_that_stands_twice_is_not_edited(porting):
    with pytest.raises(porting.PortingError, match="'x', stands 2 times in a.py"):
        porting.apply_edit("x\ny\nx\n", porting.Edit("a.py", "x\n", "z\n"))


@pytest.mark.parametrize(
    "source, ours, theirs",
    (
        ("asteroid_xscheme/models/a.py", "from .base import A", "from .bridged_models import A"),
        ("asteroid_xscheme/models/x_umx.py", "from ..dsp.stft import a",
         "from ..dsp.stft import a"),
        ("asteroid_xscheme/losses/gram.py", "from .subsets import a", "from .subsets import a"),
        ("asteroid_xscheme/dsp/stft.py", "from ..bridge import a", "from ..bridge import a"),
        ("tests/a_test.py", "from asteroid_xscheme.losses.gram import a",
         "from asteroid.losses.gram import a"),
        ("tests/a_test.py", '""":func:`asteroid_xscheme.dsp.stft.stft`."""',
         '""":func:`asteroid.dsp.stft.stft`."""'),
        ("asteroid_xscheme/bridge.py", "from torch import nn", "from torch import nn"),
        ("egs/train.py", "from asteroid_xscheme.recipes.training import train",
         "from asteroid_xscheme.recipes.training import train"),
    ),
)  # fmt: skip
def test_names_are_turned_to_those_of_asteroid(porting, source, ours, theirs):
    assert porting.port(ours, source, porting.target_path(source)) == theirs


def test_module_without_a_place_in_asteroid_is_an_error(porting):
    with pytest.raises(
        porting.PortingError, match="asteroid_xscheme.recipes.training has no place"
    ):
        porting.port(
            "from asteroid_xscheme.recipes.training import train", "tests/a.py", "tests/a.py"
        )


def test_definitions_are_dropped_with_their_decorators(porting):
    kept, method = "class C:\n    d = 1\n", "\n    def g(self):\n        pass\n"
    text = f"a = 1\n\n\n@b\ndef f():\n    pass\n\n\n{kept}{method}"
    dropped = porting.port(text, "tests/a.py", "tests/a.py", drop=["f", "C.g"])
    assert dropped == f"a = 1\n\n\n{kept}"
    with pytest.raises(porting.PortingError, match="no C.h in tests/a.py"):
        porting.drop_definition(text, "C.h", "tests/a.py")


@pytest.mark.skipif("ASTEROID" not in os.environ, reason="ASTEROID names no clone of asteroid")
def test_contribution_can_be_laid_over_asteroid(upstream, steps, tmp_path):
    clone = tmp_path / "asteroid"
    git(tmp_path, "clone", "--quiet", os.environ["ASTEROID"], str(clone))
    identify(clone)
    upstream.lay(clone, upstream.BRANCH, upstream.CONTRIBUTION)
    assert len(git(clone, "log", "--format=%h", "HEAD@{1}..HEAD").split()) == len(steps)

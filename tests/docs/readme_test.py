"""What README and the other pages name exists: files, rooms, commands, options, targets."""

import dataclasses
import re
from pathlib import Path

import pytest
import torch

import xscheme
from asteroid_xscheme import XUMX
from asteroid_xscheme.audio import write_audio
from asteroid_xscheme.recipes.config import ARCHITECTURES, GROUPS

REPOSITORY = Path(__file__).parents[2]
README = REPOSITORY / "README.md"
PAGES = [
    README,
    REPOSITORY / "CONTRIBUTING.md",
    *sorted((REPOSITORY / "docs").rglob("*.md")),
    *sorted((REPOSITORY / "egs" / "musdb18").rglob("README.md")),
]
OF_RUN_SH = {"stage", "stop_stage", "tag", "id", "python_path", "dataset", "conf", "help"}
OF_TRAINING = {"conf", "exp_dir"} | {
    field.name
    for group in (*ARCHITECTURES.values(), *GROUPS.values())
    for field in dataclasses.fields(group)
}
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(REPOSITORY)))


def blocks(page, language):
    """Fenced blocks of a language on a page."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(page):
    """The words of every command in the bash blocks of a page, without comments."""
    for block in blocks(page, "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            words = re.sub(r"(^|\s)#.*", "", line).split()
            if words:
                yield words


def options(words):
    """Options among the words of a command, without values."""
    return [word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)]


def tree_paths():
    """Paths that the tree of README names, put together by its indentation."""
    paths, folders = [], {0: ""}
    for line in filter(str.strip, blocks(README, "text")[0].splitlines()):
        depth, name = len(line) - len(line.lstrip()), line.split()[0]
        paths.append(folders[depth] + name)
        folders[depth + 2] = paths[-1]
    return paths


@pytest.mark.parametrize("path", tree_paths())
def test_paths_in_the_readme_tree_exist(path):
    assert (REPOSITORY / path).exists()


@pytest.mark.parametrize("wing", ["asteroid_xscheme", "asteroid_xscheme/recipes"])
def test_readme_tree_names_every_room(wing):
    named = {path.rstrip("/") for path in tree_paths()}
    paths = (REPOSITORY / wing).iterdir()
    rooms = {f"{wing}/{path.name}" for path in paths if not path.name.startswith("__")}
    assert rooms <= named, f"Name {sorted(rooms - named)} in the tree of README.md."


@pytest.mark.parametrize("text", blocks(README, "python"))
def test_readme_python_runs(text, tmp_path, monkeypatch):
    """On a song of half a second, with a small model under the name of the published one."""
    small = XUMX(["bass", "drums"], window_length=512, in_chan=512, n_hop=128, hidden_size=8)
    packages = {"xumxl": small.serialize()}
    load = "asteroid_xscheme.models.bridged_models.load_package"
    monkeypatch.setattr(load, lambda name, **options: packages[name])
    monkeypatch.chdir(tmp_path)
    write_audio(tmp_path / "song.mp3", torch.zeros(2, 22050), 44100)
    names = {}
    exec(text, names)
    if "separator" in names:
        assert {name: len(x) for name, x in names["estimates"].items()} == {"bass": 2, "drums": 2}


@every_page
def test_documented_commands_and_options_exist(page, capsys):
    for words in commands(page):
        if words[0].split("/")[-1] != "xscheme":
            continue
        names = words[1:3] if words[1] == "data" else words[1:2]
        with pytest.raises(SystemExit) as end:
            xscheme.main([*names, "--help"])
        explained = capsys.readouterr().out
        assert end.value.code == 0, f"There is no command {' '.join(names)}."
        known = OF_TRAINING if names == ["ablate"] else set()  # it takes those of a conf.yml too
        given = [o for o in options(words) if o.lstrip("-") not in known]
        missing = [o for o in given if not re.search(rf"(^|\s){o}\b", explained)]
        assert not missing, f"xscheme {' '.join(names)} has no {', '.join(missing)}."


@every_page
def test_documented_recipe_options_exist(page):
    for words in commands(page):
        known = set()
        if any(
            word.endswith(("train.py", "eval.py", "asteroid_xscheme.recipes.stages"))
            for word in words
        ):
            known = OF_TRAINING
        elif words[0].endswith("run.sh"):
            known = OF_TRAINING | OF_RUN_SH
        else:
            continue
        given = {option.removeprefix("--") for option in options(words) if option != "-m"}
        unknown = given - known - {"nproc_per_node", "nnodes", "rdzv_backend", "rdzv_endpoint"}
        assert not unknown, f"{' '.join(words)}: there is no option {sorted(unknown)}."


@every_page
def test_documented_make_targets_exist(page):
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    named = {words[1] for words in commands(page) if words[0] == "make"}
    named |= set(re.findall(r"`make ([a-z-]+)`", page.read_text(encoding="utf-8")))
    assert named <= targets


@every_page
def test_links_to_files_resolve(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("http", "#")):
            assert (page.parent / target.split("#")[0]).exists(), target

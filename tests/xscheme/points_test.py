"""`xscheme points`: which submodules a network calls, and where its copies can be bridged."""

import re

import pytest
from torch import nn
from torch.utils.checkpoint import checkpoint

import xscheme


class Network(nn.Module):
    """One submodule of each kind: bridgeable, called twice, checkpointed, tensorless, unused."""

    def __init__(self, hidden=3):
        super().__init__()
        self.first = nn.Conv1d(2, hidden, 1)
        self.twice = nn.Tanh()
        self.word = nn.Identity()
        self.unused = nn.Identity()
        self.guarded = nn.Conv1d(hidden, 2, 1)

    def forward(self, wav):
        features = self.twice(self.twice(self.first(wav)))
        self.word("word")
        return checkpoint(self.guarded, features, use_reentrant=False)


NAME = f"{__name__}:Network"


@pytest.fixture(autouse=True)
def importable(monkeypatch, request):
    monkeypatch.setitem(__import__("sys").modules, __name__, request.module)


def test_submodules_are_listed_with_shapes_and_a_mark_where_copies_can_be_bridged(capsys):
    assert xscheme.main(["points", NAME, "--args", "{hidden: 5}", "--shape", "1", "2", "9"]) == 0
    lines = [re.split(r"  +", line.strip()) for line in capsys.readouterr().out.splitlines()]
    assert lines[1:] == [
        ["*", "first", "Conv1d", "1", "1 x 2 x 9", "1 x 5 x 9"],
        ["*", "twice", "Tanh", "2", "1 x 5 x 9", "1 x 5 x 9"],
        ["word", "Identity", "1", "-", "-"],
        ["*", "guarded", "Conv1d", "1", "1 x 5 x 9", "1 x 2 x 9"],
    ]


@pytest.mark.parametrize(
    "arguments, expected",
    (
        (["nothing:Here"], "no network nothing:Here"),
        (["torch"], "module:Class"),
        ([":Here"], "module:Class"),
        ([".here:Here"], "module:Class"),
        (["collections:OrderedDict"], "is not a network: its call returns OrderedDict"),
        ([NAME, "--args", "[1]"], "must be a mapping"),
        ([NAME, "--args", "[1"], "is not YAML: while parsing"),
        ([NAME, "--args", "{hidden: -1}"], "cannot be built.*negative"),
        ([NAME, "--shape", "-1"], "--shape: expected sizes of 1 or more"),
        ([NAME, "--args", "{size: 1}"], "cannot be built.*size"),
        ([NAME, "--shape", "1", "7", "9"], r"does not accept an input of shape \(1, 7, 9\)"),
    ),
)
def test_mistakes_are_reported_on_one_line(arguments, expected, capsys):
    assert xscheme.main(["points", *arguments]) == 1
    message = capsys.readouterr().err
    assert re.search(expected, message) and message.startswith("xscheme: ")

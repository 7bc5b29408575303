"""Laws of identity: every change that affects results is named, and no other."""

import dataclasses
import json
import math
import tempfile
import typing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as some

from asteroid_xscheme.recipes.ablation import cells
from asteroid_xscheme.recipes.config import ARCHITECTURES, GROUPS, Config, ConfigError
from asteroid_xscheme.recipes.data import find_tracks, track_contents
from asteroid_xscheme.recipes.identity import (
    as_plain,
    compare,
    digest,
    read_record,
    weights_hash,
    write_record,
)
from asteroid_xscheme.recipes.run.folder import run_record
from asteroid_xscheme.weights import save_package

pytestmark = pytest.mark.fuzz
FEW = settings(derandomize=True, deadline=None, max_examples=10, database=None)
MANY = settings(derandomize=True, deadline=None, max_examples=300, database=None)

NO_DATA = SimpleNamespace(train_tracks=(), valid_tracks=(), roots=())
TRAINED = ("model", "data", "loss", "optim", "training")  # groups that weights depend on
PROCESSES = ("devices", "num_nodes")  # one fact: how many processes share a batch
CHOICES = {
    "dataset": some.sampled_from(["musdb18", "musdb18hq", "demo", "folder"]),
    "source_map": some.sampled_from([{}, {"a": {"guitar": "other"}}, {"a": {"guitar": None}}]),
    "source_augmentations": some.sampled_from([[], ["gain"], ["gain", "polarity"]]),
    "cache": some.sampled_from(["none", "memory"]),
    "root_weights": some.none() | some.tuples(some.floats(1e-3, 1e3)).map(list),
    "loss": some.sampled_from(["MultiDomainLoss", "WaveformL1Loss"]),
    "scheduler": some.sampled_from(["plateau", "steps", "constant"]),
    "precision": some.sampled_from(["32-true", "64-true", "bf16-mixed", "16-mixed"]),
    "devices": some.sampled_from(["auto", "1", "2", "0,", "0,1", "0,1,2"]),
    "logger": some.lists(some.sampled_from(["tensorboard", "csv", "wandb"]), unique=True),
    "pretrained": some.none(),  # a file, whose content counts: below
    "pretrained_map": some.just([]),  # of such a file: tests/recipes/training/fine_tuning_test.py
    "wiener": some.sampled_from(["em", "one_pass"]),
    "bss_eval": some.sampled_from(["museval", "fast"]),
    "metrics": some.lists(some.sampled_from(["bsseval", "usdr", "si_sdr"]), unique=True),
    "stride": some.none() | some.integers(1, 10),
    "conv_kernel_size": some.integers(1, 20).map(lambda n: 2 * n + 1),
    "domain": some.sampled_from(["waveform", "magnitude"]),
    "adapter": some.sampled_from([None, "json:dumps", "json:loads"]),
}
OF_XD3NET = some.sampled_from(["vocals", "bass", ["bass", "drums", "vocals", "other"]])
OF_XSCHEME = some.sampled_from([None, "torch.nn:Linear", "torch.nn:GRU"])
NETWORKS = {"XD3Net": OF_XD3NET, "XScheme": OF_XSCHEME}
WORDS = some.text("abcxyz.", min_size=1, max_size=5)
VALUES = {
    str: WORDS,
    int: some.integers(1, 500),
    float: some.floats(1e-6, 100) | some.floats(1e-6, 0.99),
    bool: some.booleans(),
    type(None): some.none(),
    typing.Any: some.integers(),
}


def values_of(kind):
    """A strategy for the values of an option of this type."""
    if typing.get_origin(kind) is list:
        return some.lists(values_of(*typing.get_args(kind)), min_size=1, max_size=3, unique=True)
    if typing.get_origin(kind) is dict:
        return some.dictionaries(WORDS, some.integers(), max_size=2)
    if typing.get_args(kind):
        return some.one_of(*map(values_of, typing.get_args(kind)))
    return VALUES[kind]


def values_of_option(architecture, title, field):
    if title == "model" and field.name == "network":
        return NETWORKS[architecture]
    if field.name in CHOICES:
        return CHOICES[field.name]
    group = GROUPS.get(title, ARCHITECTURES[architecture])
    return values_of(typing.get_type_hints(group)[field.name])


OPTIONS = [
    *(
        (architecture, "model", field)
        for architecture, group in ARCHITECTURES.items()
        for field in dataclasses.fields(group)
    ),
    *(
        ("XUMX", title, field)
        for title, group in GROUPS.items()
        for field in dataclasses.fields(group)
    ),
]
NAMES = [f"{architecture} {title} {field.name}" for architecture, title, field in OPTIONS]


def option_and_value(draw, architecture, title, field):
    """The default options, and the same with one value changed as by the command line."""
    before = Config.from_dict({"model": {"architecture": architecture}})
    groups = before.to_dict()
    groups[title][field.name] = draw(values_of_option(architecture, title, field))
    try:
        return before, Config.from_dict(groups)
    except ConfigError:
        assume(False)


def records(config):
    """The records of a run and of a grid, without songs, as saved in files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cells, "configured_tracks", lambda data, subset: ())
        grid = cells.grid_record(config)
    run = run_record(config, NO_DATA, config.training.n_processes or 1)
    return json.loads(json.dumps(run)), json.loads(json.dumps(grid))


def changes_that_count(title, field, before, now):
    """The expected start of each change: the option, if it affects results and its value differs.

    That of the devices is the "number of processes (devices)".
    """
    if field.name in PROCESSES:
        counts = [c.training.n_processes or c.training.num_nodes for c in (before, now)]
        return ["number"] if counts[0] != counts[1] else []
    values = [getattr(getattr(config, title), field.name) for config in (before, now)]
    is_other = values[0] != values[1] and field.metadata.get("affects_result", True)
    return [field.name] if is_other else []


def first_word(change):
    """The option that a change is about: "was", "is new", or a change inside it."""
    return change.split()[0].rstrip(",")


@pytest.mark.parametrize("architecture, title, field", OPTIONS, ids=NAMES)
def test_option_that_affects_results_changes_the_identity_and_is_named(architecture, title, field):
    @FEW
    @given(some.data())
    def check(data):
        before, now = option_and_value(data.draw, architecture, title, field)
        expected = changes_that_count(title, field, before, now)
        of_run, of_grid = (compare(*pair) for pair in zip(records(before), records(now)))
        assert sorted({first_word(change) for change in of_grid.changes}) == expected
        is_trained = title in TRAINED and field.name not in ("epochs", "num_nodes")
        assert of_run.is_same == (not (expected and is_trained))

    check()


PLAIN = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
    max_leaves=8,
)
RECORDS = some.dictionaries(some.text(), PLAIN, max_size=4)


@MANY
@given(RECORDS)
def test_saved_records_read_back_as_the_same(record):
    with tempfile.TemporaryDirectory() as folder:
        write_record(Path(folder), record)
        assert compare(read_record(Path(folder)), record).is_same
    assert compare(as_plain(record), dict(reversed(record.items()))).is_same


NEAR = some.recursive(  # so few values that many pairs of records are equal, or nearly
    some.sampled_from([None, False, "", "a", 0, 1, 2.5]),
    lambda inner: some.lists(inner, max_size=1) | some.dictionaries(some.just("a"), inner),
    max_leaves=2,
)
NEAR_RECORDS = some.dictionaries(some.sampled_from("ab"), NEAR, max_size=2)


@MANY
@given(NEAR_RECORDS, NEAR_RECORDS)
def test_records_are_the_same_with_one_digest_only_if_equal(one, other):
    assert compare(as_plain(one), other).is_same == (one == other)
    texts = [json.dumps(record, sort_keys=True) for record in (one, other)]
    assert (digest(one) == digest(other)) == (texts[0] == texts[1])


@MANY
@given(RECORDS, some.data())
def test_added_removed_or_changed_entry_is_named(record, data):
    name = data.draw(some.text(), "name")
    value = data.draw(PLAIN.filter(lambda value: value != record.get(name)), "value")
    assume(not isinstance(value, dict) or value)  # an empty one, nested, holds nothing to name
    changes = compare(as_plain(record), {**record, name: value}).changes
    assert changes and all(change.startswith(name) for change in changes)
    back = compare(as_plain({**record, name: value}), record).changes
    assert back and all(change.startswith(name) for change in back)


SHAPES = some.lists(some.integers(0, 3), max_size=3)
DTYPES = some.sampled_from([torch.float32, torch.float16, torch.int64, torch.int32, torch.bool])


@some.composite
def tensors(draw):
    shape, dtype = draw(SHAPES), draw(DTYPES)
    values = draw(some.lists(some.integers(0, 1), min_size=math.prod(shape), max_size=27))
    return torch.tensor(values[: math.prod(shape)]).to(dtype).reshape(shape)


PACKAGES = some.fixed_dictionaries(
    {
        "model_name": WORDS,
        "model_args": some.dictionaries(WORDS, some.integers(0, 2), max_size=2),
        "state_dict": some.dictionaries(WORDS, tensors(), max_size=2),
    }
)


def is_equal(one, other):
    """Whether two packages are the same model, entry by entry and bit by bit."""
    states = one["state_dict"], other["state_dict"]
    plain = [{**package, "state_dict": sorted(package["state_dict"])} for package in (one, other)]
    return plain[0] == plain[1] and all(
        (tensor.dtype, tensor.shape) == (states[1][name].dtype, states[1][name].shape)
        and torch.equal(tensor, states[1][name])
        for name, tensor in states[0].items()
    )


@MANY
@given(PACKAGES, PACKAGES, some.data())
def test_hash_of_a_model_changes_if_and_only_if_the_model_does(one, other, data):
    part = data.draw(some.sampled_from([*one]), "part")
    states = [other["state_dict"]]
    if one["state_dict"]:
        name = data.draw(some.sampled_from(sorted(one["state_dict"])), "name")
        tensor = one["state_dict"][name]
        for changed in (tensor.to(data.draw(DTYPES, "type")), tensor.reshape(-1), 1 - tensor.int()):
            states.append({**one["state_dict"], name: changed})
    for package in ({**one, part: other[part]}, *({**one, "state_dict": s} for s in states)):
        assert (weights_hash(one) == weights_hash(package)) == is_equal(one, package)


@FEW
@given(some.integers(0, 15), some.floats(width=32, allow_nan=False, allow_infinity=False))
def test_run_identifies_its_initial_weights_by_value(place, value):
    state = {"a": torch.arange(16.0)}
    changed = {"a": state["a"].clone().index_fill_(0, torch.tensor([place]), value)}
    with tempfile.TemporaryDirectory() as folder:
        runs = []
        for name, entries in (("a.pth", state), ("b.pth", state), ("c.pth", changed)):
            package = {"model_name": "XUMX", "model_args": {}, "state_dict": entries}
            path = str(save_package(package, Path(folder) / name))
            config = Config.from_dict({"training": {"pretrained": path}})
            runs.append(run_record(config, NO_DATA, 1))
    assert compare(runs[0], runs[1]).is_same
    expected = () if torch.equal(changed["a"], state["a"]) else ("pretrained weights changed",)
    assert compare(runs[0], runs[2]).changes == expected


RATE, SOURCES = 8000, ("bass", "drums", "vocals")
STEMS = some.sampled_from([*SOURCES, "mixture"])
SAMPLES = some.lists(some.integers(-9, 9), min_size=4, max_size=4)
SONGS = some.dictionaries(
    some.sampled_from("abc"),
    some.dictionaries(STEMS, SAMPLES, min_size=1).filter(lambda stems: {*stems} & {*SOURCES}),
    min_size=1,
)


def contents(songs):
    """The identity of a folder of songs that is written again."""
    with tempfile.TemporaryDirectory() as root:
        for name, stems in songs.items():
            folder = Path(root) / "train" / name
            folder.mkdir(parents=True)
            (folder / "cover.jpg").write_bytes(root.encode())  # no sound, and no part of it
            for place, (stem, samples) in enumerate(stems.items()):
                samples = np.array([*samples, 100 if stem == "mixture" else 0])
                soundfile.write(folder / f"{stem}.wav", samples / 2.0**15, RATE)
        return track_contents(find_tracks(root, "train", SOURCES))


def mutated(draw, songs):
    """Songs in which a stem, or a whole song, was changed, renamed, added or removed."""
    songs = {name: dict(stems) for name, stems in songs.items()}
    name, stem = draw(some.sampled_from(sorted(songs))), draw(STEMS)
    way = draw(some.sampled_from(["bytes", "rename", "remove", "add", "rename song"]))
    if way == "rename song":
        songs[draw(some.sampled_from("abcd"))] = songs.pop(name)
    elif way == "rename":
        songs[name][stem] = songs[name].pop(draw(some.sampled_from(sorted(songs[name]))))
    elif way == "remove":
        songs[name].pop(stem, None)
    else:
        songs[name][stem] = draw(SAMPLES)
    assume({*songs[name]} & {*SOURCES} if name in songs else True)
    return songs


@settings(MANY, max_examples=100)
@given(SONGS, some.data())
def test_identity_of_a_song_changes_if_and_only_if_its_stems_do(songs, data):
    changed = mutated(data.draw, songs)
    before, now = contents(songs), contents(changed)
    assert (before == now) == (songs == changed)
    names = [name for name in {*songs, *changed} if songs.get(name) != changed.get(name)]
    assert compare(before, now).is_same == (not names)
    assert {change[len("train/")] for change in compare(before, now).changes} == {*names}

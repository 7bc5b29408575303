"""Options round-trip through text: conf.yml, dictionary, command line."""

import argparse
import dataclasses
import typing

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_xscheme.recipes.config import ARCHITECTURES, GROUPS, Config, ConfigError

pytestmark = pytest.mark.fuzz
WORDS = {"none", "null", "yes", "no", "true", "false", ""}  # stand for something else
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1).filter(
    lambda text: text.strip().lower() not in WORDS and not text.startswith("-")  # an option
)
VALUES = {
    str: TEXT,
    int: st.integers(1, 10**6),
    float: st.floats(1e-12, 1e12),
    bool: st.booleans(),
    type(None): st.none(),
}


def values_of(kind):
    """A strategy for the values of an option of this type."""
    if typing.get_origin(kind) is list:
        (member,) = typing.get_args(kind)
        return st.lists(values_of(member), min_size=1, max_size=3, unique=True)
    if typing.get_origin(kind) is dict:
        return st.just({})
    if typing.get_args(kind):
        members = typing.get_args(kind)  # of which mappings cannot be given on a command line
        return st.one_of(*(values_of(m) for m in members if typing.get_origin(m) is not dict))
    return VALUES.get(kind, st.nothing())


def changes(group):
    """A strategy for a few options of a group with other values, some of which may be refused."""
    hints = typing.get_type_hints(group)
    names = st.sampled_from([field.name for field in dataclasses.fields(group)])
    chosen = st.lists(names, unique=True, max_size=3)
    return chosen.flatmap(
        lambda names: st.fixed_dictionaries({n: values_of(hints[n]) for n in names})
    )


@st.composite
def configs(draw):
    """Configurations in which options were changed one after the other, where allowed."""
    architecture = draw(st.sampled_from(sorted(ARCHITECTURES)))
    groups = {"model": {"architecture": architecture}}
    for title, group in {"model": ARCHITECTURES[architecture], **GROUPS}.items():
        for name, value in draw(changes(group)).items():
            changed = {**groups, title: {**groups.get(title, {}), name: value}}
            try:
                Config.from_dict(changed)
            except ConfigError:
                continue
            groups = changed
    return Config.from_dict(groups)


@settings(max_examples=300, deadline=None)
@given(configs())
def test_options_survive_yaml_and_dictionaries(config):
    assert Config.from_dict(config.to_dict()) == config
    assert Config.from_dict(yaml.safe_load(config.to_yaml())) == config


@settings(max_examples=300, deadline=None)
@given(config=configs())
def test_options_survive_the_command_line(config, tmp_path_factory):
    conf = tmp_path_factory.mktemp("conf") / "conf.yml"
    conf.write_text(Config.from_dict({"model": {"architecture": config.architecture}}).to_yaml())
    words = []
    for group in config.to_dict().values():
        for name, value in group.items():
            if name != "architecture" and not isinstance(value, dict):
                items = value if isinstance(value, list) else [value]
                words += [f"--{name}", *("none" if x is None else str(x) for x in items)]
    parser = argparse.ArgumentParser(allow_abbrev=False)
    assert Config.parse(conf, parser, words)[0] == config

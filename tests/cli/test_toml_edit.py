"""Editing an administrator's TOML: whatever the names are, the file stays valid and theirs."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.cli.setup import toml_edit
from daemon.model.errors import ConfigurationError

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@pytest.mark.parametrize("value", ["/srv/\N{POLICE CAR}", "a\x7fb", 'q"#', "back\\slash", "new\nline", "\x00"])
def test_any_text_is_a_value(value: str) -> None:
    filled = toml_edit.fill('[a]\nb = "x # y"   # why\n', {"a.b": value})
    assert tomllib.loads(filled) == {"a": {"b": value}}
    assert filled.endswith("# why\n")


@given(value=ANY_TEXT)
def test_every_text_is_a_value(value: str) -> None:
    assert tomllib.loads(toml_edit.fill("a = 1\n", {"a": value})) == {"a": value}


def test_what_is_not_wanted_is_commented_out_and_can_be_read_there() -> None:
    filled = toml_edit.fill('[a]\nb = "x # y"   # why\n[c]\nb = 2\n', {"a.b": None})
    assert tomllib.loads(filled) == {"a": {}, "c": {"b": 2}}
    assert '# b = "x # y"' in filled and "# why" in filled


def test_a_key_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"a\.colour"):
        toml_edit.fill("[a]\nb = 1\n", {"a.colour": "blue"})


TRUST = """\
# ours
[people.x]
version = 7     # not the file's

[cameras]       # all of them
"""


def test_the_version_is_the_files_own_and_no_tables() -> None:
    raised = toml_edit.raise_version("version = 3\n" + TRUST, 4)
    assert tomllib.loads(raised)["version"] == 4
    assert tomllib.loads(raised)["people"]["x"]["version"] == 7
    assert raised == "version = 4\n" + TRUST, "nothing else is touched"
    with pytest.raises(ConfigurationError, match="version"):
        toml_edit.raise_version(TRUST, 4)


def test_a_version_inside_a_text_is_no_version() -> None:
    text = 'note = """\nversion = 1\n"""\nversion = 2\n'
    assert tomllib.loads(toml_edit.raise_version(text, 3)) == {"note": "version = 1\n", "version": 3}


@given(names=st.lists(ANY_TEXT.filter(bool), min_size=1, max_size=3, unique=True))
def test_people_of_any_name_are_enrolled(names: list[str]) -> None:
    text = "version = 1\n" + TRUST
    for number, name in enumerate(names):
        text = toml_edit.enrol_person(text, f"person-{number}", name, ["officer"])
    people = tomllib.loads(text)["people"]
    assert [people[f"person-{number}"]["name"] for number in range(len(names))] == names
    assert text.startswith("version = 1\n" + TRUST)


def test_cameras_are_added_where_the_others_are() -> None:
    text = toml_edit.enrol_cameras('[cameras] # all\n"cam-1" = "a"\n\n[docks]\n', ["cam-2", "cam-3"])
    assert list(tomllib.loads(text)["cameras"]) == ["cam-1", "cam-2", "cam-3"]
    assert "# all" in text and text.endswith("[docks]\n")
    with pytest.raises(ConfigurationError, match="cameras"):
        toml_edit.enrol_cameras("[docks]\n", ["cam-1"])


def test_a_file_that_is_no_toml_is_named_as_such() -> None:
    with pytest.raises(ConfigurationError, match="TOML"):
        toml_edit.raise_version("version = \n", 2)

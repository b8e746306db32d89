"""Names for topics and files: one for each id, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.model.safe_names import read_safe_name, safe_name
from daemon.model.topics import Topics
from daemon.model.types import check_dispatch_id, is_dispatch_id


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("23-310001", "23-310001"),
        ("23/310001", "23%2F310001"),
        ("PP 23-310001", "PP%2023-310001"),
        ("P#231129", "P%23231129"),
        ("2023:0001", "2023%3A0001"),
        ("100%", "100%25"),
        ("100%25", "100%2525"),
        ("ä", "%C3%A4"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("...", "..."),
    ],
)
def test_the_name_of_an_id(text: str, name: str) -> None:
    assert safe_name(text) == name
    assert read_safe_name(name) == text


@given(st.text(max_size=40))
def test_every_name_is_one_ids_and_safe(text: str) -> None:
    name = safe_name(text)
    assert read_safe_name(name) == text
    assert not set(name) & set("/+#\0 ")
    assert name not in {".", ".."}


@given(st.text("%0123456789ABCDEFabcdef.-/ü", max_size=8))
def test_what_is_read_has_just_that_name(name: str) -> None:
    try:
        text = read_safe_name(name)
    except ValueError:
        return
    assert safe_name(text) == name


@pytest.mark.parametrize("text", ["23/310001", "PP 23-310001", "ä" * 64, "x" * 128, "..", "%", "a,b"])
def test_an_id_of_dispatchs_is_text(text: str) -> None:
    assert check_dispatch_id(text) == text
    topics = Topics("portland")
    assert topics.incident_of(topics.cad(text)) == text
    assert len(topics.split(topics.cad(text))) == 2


@pytest.mark.parametrize(
    "text", ["", " ", "a ", "\ta", "a\nb", "a\x00", "\x9b", "a\u2028b", "ä" * 65, "x" * 129, "\ud800"]
)
def test_what_is_no_id(text: str) -> None:
    assert not is_dispatch_id(text)


def test_the_topic_of_a_dispatch_system_that_writes_its_ids_as_they_are() -> None:
    topics = Topics("portland")
    assert topics.incident_of(f"{topics.root}/cad/23/310001") == "23/310001"
    assert topics.incident_of(f"{topics.root}/cad") is None
    assert topics.incident_of(f"{topics.root}/ack/d") is None

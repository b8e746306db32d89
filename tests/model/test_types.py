"""Instants, ids, topics, the error tree: the small words that everything is made of."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as hs

from daemon.model import errors, strict_json
from daemon.model.errors import BwcError, MalformedError, VerificationError
from daemon.model.times import format_instant, parse_instant, truncate
from daemon.model.topics import Topics
from daemon.model.types import check_clip_id, check_id, is_clip_id

encodable = hs.text(hs.characters(exclude_categories=["Cs"]), max_size=20)
json_values = hs.recursive(
    hs.none() | hs.booleans() | hs.integers(-(2**63), 2**64 - 1) | encodable,
    lambda inner: hs.lists(inner) | hs.dictionaries(encodable, inner),
    max_leaves=20,
)
zones = hs.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(hs.datetimes(datetime(1971, 1, 2), datetime(9000, 12, 30), timezones=zones))  # noqa: DTZ001 - the bounds have none
def test_an_instant_reads_back_to_the_millisecond(at: datetime) -> None:
    text = format_instant(at)
    assert parse_instant(text) == truncate(at) == parse_instant(at)
    assert text == format_instant(parse_instant(text))
    assert timedelta() <= at - parse_instant(text) < timedelta(milliseconds=1)


def test_the_contracts_form() -> None:
    at = datetime(2023, 11, 29, 13, 45, 2, 120_999, timezone(timedelta(hours=-8)))
    assert format_instant(at) == "2023-11-29T21:45:02.120Z"
    with pytest.raises(ValueError, match="zone"):
        format_instant(datetime(2023, 1, 1))  # noqa: DTZ001 - without a zone on purpose
    with pytest.raises(ValueError, match="zone"):
        parse_instant(datetime(2023, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    "text",
    [
        "2023-11-29T21:45:02Z",
        "2023-11-29T21:45:02.12Z",
        "2023-11-29T21:45:02.120000Z",
        "2023-11-29T21:45:02.120+00:00",
        "2023-11-29T21:45:02.120z",
        "2023-11-29 21:45:02.120Z",
        "2023-11-29T21:45:02.120Z\n",
        " 2023-11-29T21:45:02.120Z",
        "2023-02-30T21:45:02.120Z",
        "2023-11-29T24:45:02.120Z",
        "2023-11-29T23:59:60.000Z",
        "0000-11-29T21:45:02.120Z",
        "\u0662023-11-29T21:45:02.120Z",
        "",
        1701294302.12,
        None,
    ],
)
def test_every_other_form_is_refused(text: object) -> None:
    with pytest.raises(ValueError):
        parse_instant(text)


@pytest.mark.parametrize("text", ["a", "A.b-c_9", "...", "x" * 64])
def test_ids(text: str) -> None:
    assert check_id(text) == text


@pytest.mark.parametrize("text", ["", ".", "..", "a/b", "a b", "a+", "#", "x" * 65, "a\n", "\u00e4", "a\0"])
def test_no_ids(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        check_id(text)


@given(hs.uuids())
def test_a_clip_id_names_one_directory(value: object) -> None:
    assert check_clip_id(str(value)) == str(value)
    for spelling in (str(value).replace("-", ""), f"{{{value}}}", f"urn:uuid:{value}", f"{value}\n"):
        assert not is_clip_id(spelling)
    assert is_clip_id(str(value).upper()) == (str(value).upper() == str(value))
    with pytest.raises(ValueError, match="UUID"):
        check_clip_id(f" {value}")


@given(json_values)
def test_json_has_one_spelling(value: object) -> None:
    data = strict_json.dump(value)
    assert strict_json.parse(data, what="x", limit=1 << 20) == value
    assert strict_json.dump(strict_json.parse(data, what="x", limit=1 << 20)) == data


def test_json_limits_count_bytes() -> None:
    assert strict_json.parse(b'"\xc3\xa4"', what="x", limit=4) == "\u00e4"
    with pytest.raises(MalformedError):
        strict_json.parse(b'"\xc3\xa4"', what="x", limit=3)


def test_topics_go_apart_as_they_were_put_together() -> None:
    topics = Topics("agency")
    assert topics.split(topics.clip("dock-1", "a-clip")) == ("dock", "dock-1", "clip", "a-clip")
    assert topics.split(topics.attestation("p", "hold", "d")) == ("attestation", "p", "hold", "d")
    assert topics.split("bwc/v1/agency2/dock/d/status") == ()
    assert topics.split("bwc/v1/agency") == ()
    made = [
        topics.status("d"), topics.bay("d", "b"), topics.clip("d", "c"), topics.checkpoint("d"), topics.custody("d", 3),
        topics.ack("d"), topics.order("d", "c"), topics.cad("i"), topics.attestation("p", "k", "x"),
        topics.answer("p", "x"), topics.decision("p", "r"), topics.standing("d", "c"),
    ]  # fmt: skip
    root = "bwc/v1/agency/"
    assert made == [
        root + tail
        for tail in (
            "dock/d/status", "dock/d/bay/b", "dock/d/clip/c", "dock/d/checkpoint", "dock/d/custody/3", "ack/d",
            "order/d/c", "cad/i", "attestation/p/k/x", "answer/p/x", "decision/p/r", "standing/d/c",
        )
    ]  # fmt: skip


def test_exit_codes_are_the_contracts() -> None:
    found = {
        name: kind.exit_code for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, BwcError)
    }
    assert found.pop("ConfigurationError") == 2
    assert found.pop("LockedError") == 3
    verification = {name for name in found if issubclass(getattr(errors, name), VerificationError)}
    assert all((code == 4) == (name in verification) for name, code in found.items())
    assert set(found.values()) == {1, 4}
    assert BwcError("what", hint="do this").hint == "do this"


def test_clocks_agree_on_what_time_is() -> None:
    from daemon.model.clock import SystemClock

    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert clock.boot() >= clock.monotonic() - 1
    assert len(clock.boot_id()) == 36

"""Times as people type them: every form, the hours where clocks change, and what is refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as hs

from daemon.cli.shared.typed_times import typed_instant, typed_span
from daemon.model.errors import ConfigurationError
from daemon.model.times import format_instant, truncate
from daemon.model.zones import AgencyZone, zone_named

PORTLAND = AgencyZone(ZoneInfo("America/Los_Angeles"))
BERLIN = AgencyZone(ZoneInfo("Europe/Berlin"))
KATHMANDU = AgencyZone(ZoneInfo("Asia/Kathmandu"))


@pytest.mark.parametrize(
    ("typed", "zone", "utc"),
    [
        ("2026-11-28 00:47", PORTLAND, "2026-11-28T08:47:00.000Z"),
        ("2026-07-28 00:47", PORTLAND, "2026-07-28T07:47:00.000Z"),
        ("2026-11-28 00:47", BERLIN, "2026-11-27T23:47:00.000Z"),
        ("2026-11-28 00:47", KATHMANDU, "2026-11-27T19:02:00.000Z"),
        ("  2026-11-28  00:47:05 ", PORTLAND, "2026-11-28T08:47:05.000Z"),
        ("2026-11-28T00:47:05", PORTLAND, "2026-11-28T08:47:05.000Z"),
        ("2026-11-28t00:47:05.5", PORTLAND, "2026-11-28T08:47:05.500Z"),
        ("2026-11-28T00:47:05.123456789", PORTLAND, "2026-11-28T08:47:05.123Z"),
        ("2026-11-28T00:47:05.1Z", PORTLAND, "2026-11-28T00:47:05.100Z"),
        ("2026-11-28T00:47:05.120Z", PORTLAND, "2026-11-28T00:47:05.120Z"),
        ("2026-11-28t00:47:05z", PORTLAND, "2026-11-28T00:47:05.000Z"),
        ("2026-11-28 00:47z", PORTLAND, "2026-11-28T00:47:00.000Z"),
        ("2026-11-28 00:47 Z", PORTLAND, "2026-11-28T00:47:00.000Z"),
        ("2026-11-28T00:47:05+01:00", PORTLAND, "2026-11-27T23:47:05.000Z"),
        ("2026-11-28 00:47-0800", BERLIN, "2026-11-28T08:47:00.000Z"),
        ("2026-11-28 00:47 +05:45", BERLIN, "2026-11-27T19:02:00.000Z"),
        ("2026-11-28 00:47-00:00", BERLIN, "2026-11-28T00:47:00.000Z"),
        ("2024-02-29 12:00", PORTLAND, "2024-02-29T20:00:00.000Z"),
        # beside the hours where clocks change
        ("2026-03-08 01:59:59", PORTLAND, "2026-03-08T09:59:59.000Z"),
        ("2026-03-08 03:00", PORTLAND, "2026-03-08T10:00:00.000Z"),
        ("2026-11-01 00:59:59", PORTLAND, "2026-11-01T07:59:59.000Z"),
        ("2026-11-01 02:00", PORTLAND, "2026-11-01T10:00:00.000Z"),
        # within them, with an offset
        ("2026-11-01 01:30-07:00", PORTLAND, "2026-11-01T08:30:00.000Z"),
        ("2026-11-01 01:30-08:00", PORTLAND, "2026-11-01T09:30:00.000Z"),
        ("2026-11-01T01:30Z", PORTLAND, "2026-11-01T01:30:00.000Z"),
    ],
)
def test_what_people_type(typed: str, zone: AgencyZone, utc: str) -> None:
    assert format_instant(typed_instant(typed, zone)) == utc


@pytest.mark.parametrize(
    "typed",
    [
        *("", "now", "2026-11-28", "00:47", "28.11.2026 00:47", "11/28/2026 00:47", "2026-11-28 0:47"),
        *("2026-11-8 00:47", "2026-11-28 00:47 PST", "2026-11-28 12:47 am", "2026-11-28_00:47", "2026-11-2800:47"),
        *("2026-13-01 00:47", "2026-02-29 00:47", "2026-11-28 24:00", "2026-11-28 00:60", "2026-11-28 00:47:60"),
        *("2026-11-28T00:47:05.Z", "2026-11-28T00:47:05.1234567890Z", "2026-11-28T00:47:05+1", "2026-11-28T00:47+01"),
        *("2026-11-28 00:47+14:01", "2026-11-28 00:47-15:00", "2026-11-28 00:47+05:60", "2026-11-28 00:47ZZ"),
        *("1970-12-31 23:59Z", "9001-01-01 00:00Z", "0001-01-01 00:00", "0000-01-01 00:00", "9999-12-31 23:59-14:00"),
        "1971-01-01 00:00+14:00",
        "٢٠٢٦-11-28 00:47",
    ],
)
def test_what_is_no_time_is_refused(typed: str) -> None:
    with pytest.raises(ValueError):
        typed_instant(typed, PORTLAND)


@pytest.mark.parametrize(
    ("typed", "zone", "readings"),
    [
        ("2026-03-08 02:30", PORTLAND, ("2026-03-08 02:30:00-08:00", "2026-03-08 02:30:00-07:00")),
        ("2026-03-08 02:00", PORTLAND, ("2026-03-08 02:00:00-08:00", "2026-03-08 02:00:00-07:00")),
        ("2026-11-01 01:30", PORTLAND, ("2026-11-01 01:30:00-07:00", "2026-11-01 01:30:00-08:00")),
        ("2026-11-01 01:00:00.5", PORTLAND, ("2026-11-01 01:00:00.500000-07:00", "2026-11-01 01:00:00.500000-08:00")),
        ("2026-03-29T02:59:59", BERLIN, ("2026-03-29 02:59:59+01:00", "2026-03-29 02:59:59+02:00")),
        ("2026-10-25T02:00", BERLIN, ("2026-10-25 02:00:00+02:00", "2026-10-25 02:00:00+01:00")),
        # half an hour forward
        ("2026-10-04 02:15", AgencyZone(ZoneInfo("Australia/Lord_Howe")), ("02:15:00+10:30", "02:15:00+11:00")),
    ],
)
def test_an_hour_that_is_not_or_is_twice_is_refused_with_both_readings(
    typed: str, zone: AgencyZone, readings: tuple[str, str]
) -> None:
    with pytest.raises(ValueError) as refused:
        typed_instant(typed, zone)
    assert all(reading in str(refused.value) for reading in readings)
    for offer in str(refused.value).partition("write ")[2].split(" or "):
        typed_instant(offer, zone)  # what is offered can be typed


def test_a_message_keeps_the_case_of_what_was_typed() -> None:
    with pytest.raises(ValueError) as refused:
        typed_instant("2026-13-28T00:47:05Z", PORTLAND)
    assert "2026-13-28T00:47:05Z" in str(refused.value)


_INSTANTS = hs.integers(63_072_000_000, 4_102_358_400_000).map(
    lambda milliseconds: truncate(datetime.fromtimestamp(milliseconds / 1000, UTC))
)
"""From 1972 to 2099."""


@given(at=_INSTANTS, zone=hs.sampled_from([PORTLAND, BERLIN, KATHMANDU, AgencyZone()]))
def test_what_is_shown_can_be_typed_again(at: datetime, zone: AgencyZone) -> None:
    assert typed_instant(zone.shown(at), zone) == at
    assert typed_instant(format_instant(at), zone) == at


@given(at=_INSTANTS, zone=hs.sampled_from([PORTLAND, BERLIN, KATHMANDU]))
def test_a_time_without_offset_is_the_zones_or_refused(at: datetime, zone: AgencyZone) -> None:
    wall = at.astimezone(zone.zone).replace(tzinfo=None).isoformat(sep=" ")
    try:
        assert typed_instant(wall, zone) == at
    except ValueError as error:
        assert "twice" in str(error)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[AgencyZone]:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield zone_named(None)
    monkeypatch.undo()
    time.tzset()


def test_without_a_name_it_is_the_machines_zone(machine: AgencyZone) -> None:
    assert format_instant(typed_instant("2026-11-28 00:47", machine)) == "2026-11-28T05:47:00.000Z"
    assert format_instant(typed_instant("2026-07-28 00:47", machine)) == "2026-07-28T04:47:00.000Z"
    for typed in ("2026-11-01 01:30", "2026-03-08 02:30"):
        with pytest.raises(ValueError, match="-05:00"):
            typed_instant(typed, machine)


@pytest.mark.parametrize("name", ["America/Los_Angelos", "Los Angeles", "", "../etc/passwd", "/etc/passwd", "America"])
def test_a_zone_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        zone_named(name)
    if "Los" in name:
        assert "America/Los_Angeles" in (refused.value.hint or "")


def test_a_day_is_local_and_as_long_as_its_clocks_make_it() -> None:
    start, end = typed_span("2026-11-28", PORTLAND)
    assert (format_instant(start), end - start) == ("2026-11-28T08:00:00.000Z", timedelta(hours=24))
    for day, hours in (("2026-03-08", 23), ("2026-11-01", 25)):
        start, end = typed_span(day, PORTLAND)
        assert end - start == timedelta(hours=hours)
    cairo = AgencyZone(ZoneInfo("Africa/Cairo"))  # where clocks go forward at midnight
    start, end = typed_span("2026-04-24", cairo)
    assert (format_instant(start), end - start) == ("2026-04-23T22:00:00.000Z", timedelta(hours=23))


def test_a_span_has_a_start_and_an_end() -> None:
    start, end = typed_span("2026-11-28 15:00/2026-11-29 01:00", PORTLAND)
    assert (format_instant(start), format_instant(end)) == ("2026-11-28T23:00:00.000Z", "2026-11-29T09:00:00.000Z")
    assert typed_span("2026-11-28T23:00:00Z / 2026-11-29T09:00Z", BERLIN) == (start, end)
    assert typed_span("2026-11-28/2026-11-29", PORTLAND) == (
        typed_span("2026-11-28", PORTLAND)[0],
        typed_span("2026-11-29", PORTLAND)[1],
    )


@pytest.mark.parametrize(
    "span",
    [
        *("", "/", "2026-11-28/", "/2026-11-28", "2026-11-28 15:00", "2026-11-28 15:00/2026-11-28 15:00"),
        *("2026-11-29/2026-11-28", "2026-11-28/2026-11-29/2026-11-30", "2026-02-30", "9999-12-31", "9000-12-31"),
        *("2026-11-01 01:30/2026-11-01 05:00", "yesterday", "0001-01-01"),
    ],
)
def test_what_is_no_span_is_refused(span: str) -> None:
    with pytest.raises(ValueError):
        typed_span(span, PORTLAND)

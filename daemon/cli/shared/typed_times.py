"""Times as people type them: `2026-11-28 00:47` in the agency's zone, or with an offset, or with `Z`.

What is ambiguous is refused with both readings, never guessed. What comes out is an instant: UTC, whole milliseconds.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone

from daemon.model.times import truncate
from daemon.model.zones import AgencyZone

EXAMPLE = "2026-11-28 00:47, or 2026-11-28T08:47:05Z"
_DATE = r"(?P<date>\d{4}-\d{2}-\d{2})"
_CLOCK = r"(?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d{1,9}))?)?"
_OFFSET = r"(?P<offset>[Zz]|(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>\d{2}))"
_TIME = re.compile(rf"{_DATE}(?:[Tt]| +){_CLOCK}(?: *{_OFFSET})?", re.ASCII)
_DAY = re.compile(_DATE, re.ASCII)
_FURTHEST = timedelta(hours=14)
"""No clock on earth is further from UTC."""


def typed_instant(text: str, zone: AgencyZone) -> datetime:
    """What somebody typed, in UTC. Raises ValueError, with what to write instead."""
    typed = text.strip()
    found = _TIME.fullmatch(typed)
    if found is None:
        missing = "no time of day; " if _DAY.fullmatch(typed) else ""
        raise ValueError(f"{text!r}: {missing}expected a time like {EXAMPLE}")
    try:
        wall = _wall(found)
        if found["offset"] is None:
            return zone.instant(wall)
        return truncate(wall.replace(tzinfo=_zone_of(found)).astimezone(UTC))
    except ValueError as error:
        raise ValueError(f"{typed}: {error}") from None


def typed_day(text: str, zone: AgencyZone) -> datetime:
    """A local day, as the moment it began; or a time. Raises ValueError, with what to write instead."""
    return _day_or_time(text.strip(), zone, 0)


def typed_span(text: str, zone: AgencyZone) -> tuple[datetime, datetime]:
    """`START/END`, or one local day, as two instants; END is not part of it. A day as END is there whole.

    Raises ValueError.
    """
    start, slash, end = (part.strip() for part in text.partition("/"))
    begin = _day_or_time(start, zone, 0)
    finish = _day_or_time(end if slash else start, zone, 1) if slash or _DAY.fullmatch(start) else begin
    if not slash and finish == begin:
        raise ValueError(f"{text!r}: expected a day like 2026-11-28, or START/END")
    if finish <= begin:
        raise ValueError(f"{text!r}: it ends before it starts")
    return begin, finish


def _day_or_time(text: str, zone: AgencyZone, days: int) -> datetime:
    if not _DAY.fullmatch(text):
        return typed_instant(text, zone)
    try:
        return zone.start_of(date.fromisoformat(text) + timedelta(days=days))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text}: {error}") from None


def _wall(found: re.Match[str]) -> datetime:
    day = date.fromisoformat(found["date"])
    fraction = int((found["fraction"] or "").ljust(6, "0")[:6])
    clock = (int(found["hour"]), int(found["minute"]), int(found["second"] or 0))
    wall = datetime(day.year, day.month, day.day, *clock, fraction)  # noqa: DTZ001 - wall time, until its zone is known
    truncate(wall.replace(tzinfo=UTC))  # a year beyond any clock's
    return wall


def _zone_of(found: re.Match[str]) -> timezone:
    if found["sign"] is None:
        return UTC
    away = timedelta(hours=int(found["hours"]), minutes=int(found["minutes"]))
    if int(found["minutes"]) > 59 or away > _FURTHEST:
        raise ValueError(f"no clock is {found['offset']} from UTC")
    return timezone(-away if found["sign"] == "-" else away)

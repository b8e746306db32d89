"""Times as cameras and dispatch write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

_STANDARD, _DAYLIGHT = timezone(timedelta(hours=-8)), timezone(timedelta(hours=-7))


def utc_text(at: datetime) -> str:
    """`2023-11-29T21:45:02.120Z`: UTC, milliseconds, `Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def local_text(at: datetime) -> str:
    """The same time in Portland: `2023-11-29T13:45:02.120-08:00`."""
    return at.astimezone(pacific(at)).isoformat(timespec="milliseconds")


def parse(text: str) -> datetime:
    """Reads an ISO 8601 time with an offset or `Z`. Raises ValueError for anything else."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return at.astimezone(UTC)


def pacific(at: datetime) -> timezone:
    """Portland's time zone at this time.

    Daylight time is from the second Sunday of March to the first Sunday of November, at 2:00. This is calculated here
    and not taken from the machine's time zone database, so that one seed gives the same documents on every machine.
    """
    year = at.astimezone(UTC).year
    begins = _sunday(year, 3, 2).replace(hour=10)
    ends = _sunday(year, 11, 1).replace(hour=9)
    return _DAYLIGHT if begins <= at < ends else _STANDARD


def local_midnight(day: datetime) -> datetime:
    """The time at which that calendar day begins in Portland."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return midnight - (pacific(midnight + timedelta(hours=8)).utcoffset(None) or timedelta())


def _sunday(year: int, month: int, number: int) -> datetime:
    first = datetime(year, month, 1, tzinfo=UTC)
    return first + timedelta(days=(6 - first.weekday()) % 7 + 7 * (number - 1))

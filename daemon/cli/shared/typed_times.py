"""Times as people type them: `2026-11-28 00:47` in the agency's zone, or with an offset, or with `Z`.

What is ambiguous is refused with both readings, never guessed. What comes out is an instant: UTC, whole milliseconds.
"""

from __future__ import annotations

import difflib
import re
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from daemon.model.errors import ConfigurationError
from daemon.model.times import truncate

EXAMPLE = "2026-11-28 00:47, or 2026-11-28T08:47:05Z"
_DATE = r"(?P<date>\d{4}-\d{2}-\d{2})"
_CLOCK = r"(?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d{1,9}))?)?"
_OFFSET = r"(?P<offset>[Zz]|(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>\d{2}))"
_TIME = re.compile(rf"{_DATE}(?:[Tt]| +){_CLOCK}(?: *{_OFFSET})?", re.ASCII)
_DAY = re.compile(_DATE, re.ASCII)
_FURTHEST = timedelta(hours=14)
"""No clock on earth is further from UTC."""


@dataclass(frozen=True)
class AgencyZone:
    """The zone of a time without an offset. `zone` is None for the one that this machine is set to."""

    zone: ZoneInfo | None = None

    @property
    def name(self) -> str:
        """`America/Los_Angeles`, or that it is the machine's own."""
        return self.zone.key if self.zone is not None else "this machine's time zone"

    def shown(self, at: datetime) -> str:
        """An instant as the clocks of this zone show it, with its offset: `2026-11-28 00:47:00-08:00`."""
        local = at.astimezone(self.zone)
        finer = "milliseconds" if local.microsecond else "seconds"
        return local.isoformat(sep=" ", timespec=finer)

    def instant(self, wall: datetime) -> datetime:
        """What the naive `wall` is in UTC. Raises ValueError when this zone's clocks show it never, or twice."""
        first, second = self._readings(wall)
        if first == second:
            return truncate(first)
        twice = first.astimezone(self.zone).replace(tzinfo=None) == wall
        what = "comes twice, for clocks went back" if twice else "does not exist, for clocks went forward"
        offers = (f"{wall.isoformat(sep=' ')}{_offset(wall - at.replace(tzinfo=None))}" for at in (first, second))
        raise ValueError(f"in {self.name} this time {what}; write {' or '.join(offers)}")

    def start_of(self, day: date) -> datetime:
        """The first moment of a local day, in UTC: also where clocks change at midnight."""
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - wall time
        truncate(midnight.replace(tzinfo=UTC))  # a year beyond any clock's
        return truncate(self._readings(midnight)[0])

    def _readings(self, wall: datetime) -> tuple[datetime, datetime]:
        """The instants of both folds (PEP 495): the same, but where clocks change."""
        try:
            # a naive time is the machine's own zone to `astimezone`
            first, second = (wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        except (OverflowError, OSError) as error:
            raise ValueError(f"this machine's time zone does not reach that far: {error}") from None
        return first, second


def zone_named(name: str | None) -> AgencyZone:
    """The zone of an IANA name; the machine's own for None. Raises ConfigurationError, offering the closest."""
    if name is None:
        return AgencyZone()
    try:
        return AgencyZone(ZoneInfo(name))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = {zone.rpartition("/")[2].casefold(): zone for zone in sorted(zoneinfo.available_timezones())}
        known |= {zone.casefold(): zone for zone in zoneinfo.available_timezones()}
        close = difflib.get_close_matches(name.casefold().replace(" ", "_"), known, n=3)
        offer = ", ".join(dict.fromkeys(known[one] for one in close)) or "America/Los_Angeles, Europe/Berlin, UTC"
        raise ConfigurationError(f"no time zone {name!r}", hint=f"such as {offer}") from None


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


def _offset(away: timedelta) -> str:
    minutes = round(away.total_seconds() / 60)
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"

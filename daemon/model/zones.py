"""The agency's time zone: what a local time, day and month are. An IANA name, or the zone this machine is set to."""

from __future__ import annotations

import difflib
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator

from daemon.model.errors import ConfigurationError
from daemon.model.times import truncate


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

    def day_of(self, at: datetime) -> date:
        """The local day of an instant."""
        return at.astimezone(self.zone).date()

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


MACHINE = AgencyZone()
"""The zone that this machine is set to."""


def zone_named(name: str | None) -> AgencyZone:
    """The zone of an IANA name; the machine's own for None. Raises ConfigurationError, offering the closest."""
    if name is None:
        return MACHINE
    try:
        return AgencyZone(ZoneInfo(name))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = {zone.rpartition("/")[2].casefold(): zone for zone in sorted(zoneinfo.available_timezones())}
        known |= {zone.casefold(): zone for zone in zoneinfo.available_timezones()}
        close = difflib.get_close_matches(name.casefold().replace(" ", "_"), known, n=3)
        offer = ", ".join(dict.fromkeys(known[one] for one in close)) or "America/Los_Angeles, Europe/Berlin, UTC"
        raise ConfigurationError(f"no time zone {name!r}", hint=f"such as {offer}") from None


def _known(name: str) -> str:
    try:
        return zone_named(name).name
    except ConfigurationError as error:
        raise ValueError(f"{error}; {error.hint}") from None


ZoneName = Annotated[str, AfterValidator(_known)]
"""A configuration field: an IANA name that this machine knows. What it does not know is refused with the closest."""


def _offset(away: timedelta) -> str:
    minutes = round(away.total_seconds() / 60)
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"

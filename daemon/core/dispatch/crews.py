"""Who was on a unit at a given time, as far as dispatch has said so on any incident."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from functools import cached_property
from typing import Protocol

from daemon.core.dispatch.eido import Status
from daemon.core.windows import SHIFT

CrewSighting = tuple[datetime, frozenset[str]]
"""The officers named on a unit at one instant, or the units that an officer was named on."""


class Sightings(Protocol):
    """Who was named on which unit, and when; what was said of one instant is one sighting."""

    def crew_before(self, unit_id: str, at: datetime) -> CrewSighting | None:
        """The last that were named on the unit by then."""

    def crew_after(self, unit_id: str, at: datetime) -> CrewSighting | None:
        """The next."""

    def units_before(self, officer_id: str, at: datetime) -> CrewSighting | None:
        """The last units on which the officer was named by then."""


class Crews:
    """Who was on a unit, from what was seen of it and of its officers."""

    def __init__(self, seen: Sightings, cameras: Collection[str] | None) -> None:
        """`cameras` are the officers known to wear one; None: everybody."""
        self._seen = seen
        self._cameras = cameras

    def alone_on(self, unit_id: str, at: datetime) -> str | None:
        """The one officer with a camera on that unit at that time; None when there are several, none, or doubt.

        Those last named on the unit are on it, unless seen on another unit since. The crew named next must not
        contradict that; where nobody was named before, it is the evidence.
        """
        before = _within(self._seen.crew_before(unit_id, at), at)
        following = _within(self._seen.crew_after(unit_id, at), at)
        named = following if before is None else before
        present = [
            officer for officer in named or () if self._wears(officer) and not self._elsewhere(officer, unit_id, at)
        ]
        if len(present) != 1 or (following is not None and present[0] not in following):
            return None
        return present[0]

    def _wears(self, officer_id: str) -> bool:
        return self._cameras is None or officer_id in self._cameras

    def _elsewhere(self, officer_id: str, unit_id: str, at: datetime) -> bool:
        """Whether the last that was heard of an officer, in this shift, is that they are on another unit."""
        units = _within(self._seen.units_before(officer_id, at), at)
        return units is not None and unit_id not in units


def _within(sighting: CrewSighting | None, at: datetime) -> frozenset[str] | None:
    """Whom it saw, if that was in the same shift."""
    return sighting[1] if sighting is not None and abs(at - sighting[0]) <= SHIFT else None


class Named:
    """The sightings in a collection of statuses; sorts them only if somebody asks."""

    def __init__(self, statuses: Collection[Status]) -> None:
        self._statuses = statuses

    def crew_before(self, unit_id: str, at: datetime) -> CrewSighting | None:
        """See Sightings."""
        return _last(self._crews.get(unit_id, []), at)

    def crew_after(self, unit_id: str, at: datetime) -> CrewSighting | None:
        """See Sightings."""
        crews = self._crews.get(unit_id, [])
        after = bisect_right(crews, at, key=lambda sighting: sighting[0])
        return crews[after] if after < len(crews) else None

    def units_before(self, officer_id: str, at: datetime) -> CrewSighting | None:
        """See Sightings."""
        return _last(self._units.get(officer_id, []), at)

    @cached_property
    def _crews(self) -> dict[str, list[CrewSighting]]:
        return _by_time((status.unit_id, status.at, status.officer_ids) for status in self._statuses)

    @cached_property
    def _units(self) -> dict[str, list[CrewSighting]]:
        return _by_time(
            (officer, status.at, (status.unit_id,)) for status in self._statuses for officer in status.officer_ids
        )


def _last(sightings: list[CrewSighting], at: datetime) -> CrewSighting | None:
    after = bisect_right(sightings, at, key=lambda sighting: sighting[0])
    return sightings[after - 1] if after else None


def _by_time(said: Iterable[tuple[str, datetime, tuple[str, ...]]]) -> dict[str, list[CrewSighting]]:
    """For each key what was said of it, by time; what was said at one instant is put together."""
    gathered: dict[str, dict[datetime, set[str]]] = defaultdict(lambda: defaultdict(set))
    for key, at, names in said:
        if names:
            gathered[key][at].update(names)
    return {key: [(at, frozenset(moments[at])) for at in sorted(moments)] for key, moments in gathered.items()}

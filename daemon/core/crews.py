"""Who was on a unit at a given time, as far as dispatch has said so on any incident."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from functools import cached_property

from daemon.core.eido import Status

SHIFT = timedelta(hours=12)
"""How long a crew that was named counts as being on its unit: officers log on anew for every shift."""

_Crew = frozenset[str]


class Crews:
    """Built from every status known; does its sorting only if somebody asks."""

    def __init__(self, statuses: Collection[Status], cameras: Collection[str] | None) -> None:
        """`cameras` are the officers known to wear one; None: everybody."""
        self._statuses = statuses
        self._cameras = cameras

    def alone_on(self, unit_id: str, at: datetime) -> str | None:
        """The one officer with a camera on that unit at that time; None when there are several, none, or doubt.

        Those last named on the unit are on it, unless seen on another unit since. The crew named next must not
        contradict that; where nobody was named before, it is the evidence.
        """
        crews = self._units.get(unit_id, [])
        after = bisect_right(crews, at, key=lambda item: item[0])
        before = crews[after - 1][1] if after and at - crews[after - 1][0] <= SHIFT else None
        following = crews[after][1] if after < len(crews) and crews[after][0] - at <= SHIFT else None
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
        places = self._officers[officer_id]
        after = bisect_right(places, at, key=lambda item: item[0])
        return after > 0 and at - places[after - 1][0] <= SHIFT and unit_id not in places[after - 1][1]

    @cached_property
    def _units(self) -> dict[str, list[tuple[datetime, _Crew]]]:
        return _by_time((status.unit_id, status.at, status.officer_ids) for status in self._statuses)

    @cached_property
    def _officers(self) -> dict[str, list[tuple[datetime, _Crew]]]:
        return _by_time(
            (officer, status.at, (status.unit_id,)) for status in self._statuses for officer in status.officer_ids
        )


def _by_time(said: Iterable[tuple[str, datetime, tuple[str, ...]]]) -> dict[str, list[tuple[datetime, _Crew]]]:
    """For each key what was said of it, by time; what was said at one instant is put together."""
    gathered: dict[str, dict[datetime, set[str]]] = defaultdict(lambda: defaultdict(set))
    for key, at, names in said:
        if names:
            gathered[key][at].update(names)
    return {key: [(at, frozenset(moments[at])) for at in sorted(moments)] for key, moments in gathered.items()}

"""What dispatch leaves open about the time of a clip: calls of unknown crew, which may have been its wearer's."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from daemon.core.dispatch.activation import Clip
from daemon.core.dispatch.crews import Sightings
from daemon.core.windows import SHIFT


class UnknownCrew(NamedTuple):
    """A unit's part in an incident, of which nobody knows who was on it. `cleared_at` None: still open."""

    incident_id: str
    incident_type: str
    unit_id: str
    dispatched_at: datetime
    cleared_at: datetime | None


def perhaps_theirs(calls: Iterable[UnknownCrew], clip: Clip, seen: Sightings) -> tuple[UnknownCrew, ...]:
    """Those calls of unknown crew in the time of a clip that may have been its officer's: the unit is the last that the
    officer was named on, in that shift, or nobody has named the officer on any.
    """
    return tuple(sorted((call for call in calls if _perhaps(call, clip, seen)), key=_in_order))


def _perhaps(call: UnknownCrew, clip: Clip, seen: Sightings) -> bool:
    begin = max(call.dispatched_at, clip.started_at)
    end = clip.stopped_at if call.cleared_at is None else min(call.cleared_at, clip.stopped_at)
    if begin >= end:
        return False
    for at in (begin, end):
        sighting = seen.units_before(clip.officer_id, at)
        if sighting is None or at - sighting[0] > SHIFT or call.unit_id in sighting[1]:
            return True
    return False


def _in_order(call: UnknownCrew) -> tuple[datetime, str, str]:
    return call.dispatched_at, call.incident_id, call.unit_id

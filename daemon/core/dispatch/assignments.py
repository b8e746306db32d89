"""Snapshots of incidents → who was assigned to what, from when to when.

The history of a unit on an incident is everything that any document ever said of it, in order of the times in the
documents: when they arrived, and how often, makes no difference. stretches.py says how one history is folded, merges.py
which incidents are joined.

An incident that was replaced keeps its assignments under its own id, beside those of the incident replacing it: an
incident once tagged keeps counting. What the merge left open there ends when the same unit clears the other one. A
split changes nothing: both incidents have histories of their own. What is said of an incident by its tracking
identifier alone is said of every incident that has it under an agency's own id.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple, TypeVar

from daemon.core.dispatch.activation import Assignment
from daemon.core.dispatch.crews import Crews, Named
from daemon.core.dispatch.eido import Incident, Merge, Snapshot, Status
from daemon.core.dispatch.merges import Joined, joined, replacing
from daemon.core.dispatch.stretches import CLEARING, NOBODY, stretches
from daemon.core.dispatch.unclear import UnknownCrew

_Timelines = Mapping[tuple[str, str], Sequence[Status]]


class History(NamedTuple):
    """All that was said of some incidents, and of those they were merged with, each thing once.

    `types`: what each is called, by the newest word on it. `tracked`: which incidents have a tracking identifier.
    """

    types: Mapping[str, str]
    tracked: Mapping[str, Collection[str]]
    statuses: Collection[Status]
    merges: Collection[Merge]


class Dispatched(NamedTuple):
    """Assignments and calls of unknown crew, by time of dispatch, and merges."""

    assignments: tuple[Assignment, ...]
    unknown: tuple[UnknownCrew, ...]
    merges: tuple[Joined, ...]


def dispatched(snapshots: Iterable[Snapshot], cameras: Collection[str] | None = None) -> Dispatched:
    """What all these documents come to. `cameras` are the officers known to wear one; None: everybody."""
    incidents: dict[str, Incident] = {}
    tracked: dict[str, set[str]] = defaultdict(set)
    merges: set[Merge] = set()
    statuses: set[Status] = set()
    for snapshot in snapshots:
        statuses.update(snapshot.statuses)
        merges.update(snapshot.merges)
        for incident in snapshot.incidents:
            known = incidents.setdefault(incident.incident_id, incident)
            incidents[incident.incident_id] = max(known, incident, key=_newest)
            if incident.tracking_id is not None:
                tracked[incident.tracking_id].add(incident.incident_id)
    types = {incident.incident_id: incident.incident_type for incident in incidents.values()}
    return worked_out(History(types, tracked, statuses, merges), Crews(Named(statuses), cameras))


def worked_out(history: History, crews: Crews) -> Dispatched:
    """What the incidents of a history come to."""
    own = _own_ids(history.tracked)
    timelines = _timelines(_renamed(history.statuses, own))
    merges = joined(_renamed(history.merges, own), history.tracked)
    replaced = replacing(merges)
    found = [
        Assignment(incident_id, history.types[incident_id], unit_id, officer_id, *stretch)
        for (incident_id, unit_id), timeline in timelines.items()
        for officer_id, stretch in stretches(timeline, crews)
    ]
    carried = [_carried(assignment, replaced.get(assignment.incident_id, ()), timelines) for assignment in found]
    carried.sort(key=lambda a: (a.dispatched_at, a.incident_id, a.unit_id, a.officer_id))
    known = tuple(one for one in carried if one.officer_id != NOBODY)
    unknown = tuple(_of_unknown_crew(one) for one in carried if one.officer_id == NOBODY)
    return Dispatched(known, unknown, tuple(sorted(merges)))


def _of_unknown_crew(one: Assignment) -> UnknownCrew:
    return UnknownCrew(one.incident_id, one.incident_type, one.unit_id, one.dispatched_at, one.cleared_at)


_Said = TypeVar("_Said", Status, Merge)


def _own_ids(tracked: Mapping[str, Collection[str]]) -> dict[str, list[str]]:
    """For each incident that is named by its tracking identifier the agencies' ids for it, where any is known."""
    found = {name: sorted(set(ids) - {name}) for name, ids in tracked.items() if name in ids}
    return {name: ids for name, ids in found.items() if ids}


def _renamed(said: Iterable[_Said], own: Mapping[str, Sequence[str]]) -> Iterator[_Said]:
    for one in said:
        if own and one.incident_id in own:
            yield from (one._replace(incident_id=name) for name in own[one.incident_id])
        else:
            yield one


def _newest(incident: Incident) -> tuple[datetime, str]:
    return incident.at, incident.incident_type


def _timelines(statuses: Iterable[Status]) -> _Timelines:
    """What is known of each unit on each incident, in order."""
    found: dict[tuple[str, str], list[Status]] = defaultdict(list)
    for status in statuses:
        found[status.incident_id, status.unit_id].append(status)
    for timeline in found.values():
        timeline.sort(key=lambda status: (status.at, status.status in CLEARING, status.status, status.officer_ids))
    return found


def _carried(assignment: Assignment, replacing: Collection[str], timelines: _Timelines) -> Assignment:
    """An assignment left open by a merge ends when its unit clears an incident that replaces its own."""
    if assignment.cleared_at is not None or not replacing:
        return assignment
    ends = [
        status.at
        for incident_id in replacing
        for status in timelines.get((incident_id, assignment.unit_id), ())
        if status.status in CLEARING and status.at >= assignment.dispatched_at
    ]
    return replace(assignment, cleared_at=min(ends)) if ends else assignment

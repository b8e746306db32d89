"""Snapshots of incidents → who was assigned to what, from when to when.

The history of a unit on an incident is everything that any document ever said of it, in order of the times in the
documents: when they arrived, and how often, makes no difference.

- An assignment runs from the first `Dispatched` (failing that, the earliest status) to the first `Cleared` or
  `AssignmentCancelled`; only another `Dispatched` begins a new one. Statuses of one instant: the clearing comes last.
- A unit's status is that of the officers its component names. A clearing that does not name an officer ends their
  part as well, unless they are seen on the call after it.
- A component that names nobody means those whom the next component of the same call names, or else the previous one.
  If the call never names anybody, it means the one officer with a camera who is known from other incidents to be on
  that unit at the time (`matched_by` "unit"); with two of them, or none, nobody.
- An incident that was REPLACED keeps its assignments under its own id, beside those of the incident replacing it: an
  incident once tagged keeps counting. What the merge left open there ends when the same unit clears the other one.
  SPLIT changes nothing: both incidents have histories of their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from daemon.core.dispatch.activation import Assignment
from daemon.core.dispatch.crews import Crews, Named
from daemon.core.dispatch.eido import Incident, Merge, Snapshot, Status

_CLEARING = frozenset({"Cleared", "AssignmentCancelled"})
_MatchedBy = Literal["officer", "unit"]
_Timelines = dict[tuple[str, str], list[Status]]


def assignments(snapshots: Iterable[Snapshot], cameras: Collection[str] | None = None) -> tuple[Assignment, ...]:
    """Every assignment, by time of dispatch. `cameras` are the officers known to wear one; None: everybody."""
    incidents: dict[str, Incident] = {}
    merges: set[Merge] = set()
    statuses: set[Status] = set()
    for snapshot in snapshots:
        statuses.update(snapshot.statuses)
        merges.update(snapshot.merges)
        for incident in snapshot.incidents:
            known = incidents.setdefault(incident.incident_id, incident)
            incidents[incident.incident_id] = max(known, incident, key=_newest)
    types = {incident.incident_id: incident.incident_type for incident in incidents.values()}
    return worked_out(types, statuses, merges, Crews(Named(statuses), cameras))


def worked_out(
    types: Mapping[str, str], statuses: Iterable[Status], merges: Iterable[Merge], crews: Crews
) -> tuple[Assignment, ...]:
    """The assignments of some incidents, by time of dispatch.

    `types` has what each is called; `statuses` and `merges` are all that was said of them, and of those they were
    merged with, each thing once.
    """
    timelines = _timelines(statuses)
    replaced = _replaced(merges)
    found = [
        Assignment(incident_id, types[incident_id], unit_id, officer_id, *stretch)
        for (incident_id, unit_id), timeline in timelines.items()
        for officer_id, stretch in _stretches(timeline, crews)
    ]
    carried = (_carried(assignment, replaced.get(assignment.incident_id, ()), timelines) for assignment in found)
    return tuple(sorted(carried, key=lambda a: (a.dispatched_at, a.incident_id, a.unit_id, a.officer_id)))


def _newest(incident: Incident) -> tuple[datetime, str]:
    return incident.at, incident.incident_type


def _timelines(statuses: Iterable[Status]) -> _Timelines:
    """What is known of each unit on each incident, in order."""
    found: _Timelines = defaultdict(list)
    for status in statuses:
        found[status.incident_id, status.unit_id].append(status)
    for timeline in found.values():
        timeline.sort(key=lambda status: (status.at, status.status in _CLEARING, status.status, status.officer_ids))
    return found


@dataclass(frozen=True, slots=True)
class _Seen:
    """One status as it concerns one officer."""

    at: datetime
    status: str
    matched_by: _MatchedBy
    named: bool
    """False: a clearing of the unit that names only others, or nobody."""


_Stretch = tuple[datetime, datetime | None, _MatchedBy]


def _stretches(timeline: Sequence[Status], crews: Crews) -> Iterator[tuple[str, _Stretch]]:
    """Each officer's assignments in a unit's history on one incident."""
    concerned = _concerned(timeline, crews)
    for officer in sorted({officer for _, crew in concerned for officer in crew}):
        seen = [
            _Seen(status.at, status.status, matched_by, named=officer in crew)
            for status, (matched_by, crew) in zip(timeline, concerned, strict=True)
            if officer in crew or status.status in _CLEARING
        ]
        for stretch in _folded(_heeded(seen)):
            yield officer, stretch


def _concerned(timeline: Sequence[Status], crews: Crews) -> list[tuple[_MatchedBy, Collection[str]]]:
    """For each status the officers whom it concerns, and how they were found."""
    following: list[tuple[str, ...]] = []
    named: tuple[str, ...] = ()
    for status in reversed(timeline):
        named = status.officer_ids if status.officer_ids or status.status in _CLEARING else named
        following.append(named)
    found: list[tuple[_MatchedBy, Collection[str]]] = []
    previous: tuple[str, ...] = ()
    alone: str | None = None
    in_doubt = True
    for status, named in zip(timeline, reversed(following), strict=True):
        if status.status in _CLEARING:
            previous, in_doubt = (), True
            found.append(("officer", status.officer_ids))
        elif named or previous:
            previous = status.officer_ids or previous
            found.append(("officer", named or previous))
        else:
            if in_doubt:  # asked once for a call: a change of shift in the middle of it changes nothing
                alone, in_doubt = crews.alone_on(status.unit_id, status.at), False
            found.append(("unit", () if alone is None else (alone,)))
    return found


def _heeded(seen: Sequence[_Seen]) -> list[_Seen]:
    """Without the clearings of others after which this officer is still seen on the call."""
    heeded: list[_Seen] = []
    next_own: _Seen | None = None
    for status in reversed(seen):
        if status.named:
            next_own = status
        elif next_own is not None and next_own.status != "Dispatched":
            continue
        heeded.append(status)
    return heeded[::-1]


def _folded(seen: Iterable[_Seen]) -> Iterator[_Stretch]:
    begun: _Seen | None = None
    ended = False
    for status in seen:
        if status.status in _CLEARING:
            if begun is not None:
                yield begun.at, status.at, begun.matched_by
                begun, ended = None, True
        elif status.status == "Dispatched":
            if begun is None or begun.status != "Dispatched":
                begun = status
        elif begun is None and not ended:
            begun = status
    if begun is not None:
        yield begun.at, None, begun.matched_by


def _replaced(merges: Iterable[Merge]) -> dict[str, set[str]]:
    """For each incident that was replaced, those that stand for it, directly or by further merges."""
    direct: dict[str, set[str]] = defaultdict(set)
    for merge in merges:
        if merge.other_id is not None and merge.direction == "REPLACED":
            direct[merge.incident_id].add(merge.other_id)
        elif merge.other_id is not None and merge.direction == "REPLACING":
            direct[merge.other_id].add(merge.incident_id)
    found: dict[str, set[str]] = {}
    for incident_id in list(direct):
        reached: set[str] = set()
        waiting = [incident_id]
        while waiting:
            new = direct.get(waiting.pop(), set()) - reached
            reached |= new
            waiting += new
        found[incident_id] = reached - {incident_id}
    return found


def _carried(assignment: Assignment, replacing: Collection[str], timelines: _Timelines) -> Assignment:
    """An assignment left open by a merge ends when its unit clears an incident that replaces its own."""
    if assignment.cleared_at is not None or not replacing:
        return assignment
    ends = [
        status.at
        for incident_id in replacing
        for status in timelines.get((incident_id, assignment.unit_id), ())
        if status.status in _CLEARING and status.at >= assignment.dispatched_at
    ]
    return replace(assignment, cleared_at=min(ends)) if ends else assignment

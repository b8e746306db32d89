"""What a dock needs of a NENA EIDO document (Emergency Incident Data Object, NENA-STA-021.1).

A document is a snapshot of an incident: which units are on it, with whom, in what status, since when. Real ones carry
far more than that; whatever is not named here is ignored. Where the standard has a list a single object will do, and
the other way round. What is named here and cannot be used is set aside, part by part, and the rest counts.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from daemon.core.dispatch.agents import agents_at_desks
from daemon.core.dispatch.eido_fields import (
    Component,
    EidoError,
    checked,
    components,
    listed,
    local_name,
    name_in,
    no_objects,
    reference,
    stamp,
    text_of,
    time_of,
    time_said,
    tracking_id,
    tracking_text,
)
from daemon.model.types import is_dispatch_id

LIMIT = 1 << 20
"""The largest document worth parsing, in bytes of JSON."""
MAX_STATUSES = 10_000
"""The most that one document may say of units on incidents."""
MAX_ASIDE = 100
"""The most parts of one document that are named when they are set aside."""

Direction = Literal["REPLACING", "REPLACED", "SPLIT"]
_DIRECTIONS: tuple[Direction, ...] = ("REPLACING", "REPLACED", "SPLIT")
_CANONICAL = {
    "dispatched": "Dispatched",
    "cleared": "Cleared",
    "assignmentcancelled": "AssignmentCancelled",
    "assignmentcanceled": "AssignmentCancelled",
    "offduty": "OffDuty",
    "inservice": "InService",
}
_SPACING = str.maketrans("", "", " -_")
_INCIDENTS, _UNITS, _MERGES = "incidentComponent", "emergencyResourceComponent", "mergeComponent"


class Incident(NamedTuple):
    """What an incident was called at `at`. `priority` as dispatch gives it, where it is a number.

    `tracking_id` is what the incident is called everywhere (section 2.1), where the document says so; `incident_id` the
    agency's own id, or else the tracking identifier.
    """

    incident_id: str
    incident_type: str
    priority: int | None
    at: datetime
    tracking_id: str | None = None


class Status(NamedTuple):
    """One unit's status on one incident since `at`, and the officers on it as far as this component says (sorted)."""

    incident_id: str
    unit_id: str
    officer_ids: tuple[str, ...]
    status: str
    at: datetime


class Merge(NamedTuple):
    """What `incident_id` says of another incident: that was REPLACED by it, is REPLACING it, or it was SPLIT from it.

    `other` is the other's tracking identifier as it is written there; `internal` the agency's own id that it may
    contain, where there is one.
    """

    incident_id: str
    direction: Direction
    other: str
    internal: str | None


class Snapshot(NamedTuple):
    """One document. `as_of` is the newest time in the parts that are read: how far this document sees.

    `set_aside` names the parts that could not be used, each with the reason; `earliest` and `latest` are the first and
    the last time in the document, these parts included. `latest` is None where one of them says no time.
    """

    incidents: tuple[Incident, ...]
    statuses: tuple[Status, ...]
    merges: tuple[Merge, ...]
    as_of: datetime
    set_aside: tuple[str, ...] = ()
    earliest: datetime | None = None
    latest: datetime | None = None

    @property
    def span(self) -> tuple[datetime, datetime]:
        """The first and the last time of its statuses; `as_of` where it has none."""
        times = [status.at for status in self.statuses] or [self.as_of]
        return min(times), max(times)


def parse(document: Component) -> Snapshot:
    """The snapshot in a parsed JSON document. Raises EidoError when nothing in it can be used."""
    aside: list[str] = []
    written_at = _written_at(document, "", aside)
    found = _Incidents(document, written_at, aside)
    desks = agents_at_desks(document)
    units = list(components(document, _UNITS, aside))
    merging = list(components(document, _MERGES, aside))
    unread = [time_said(part) for part in (*found.unread, *no_objects(document, _INCIDENTS, _UNITS, _MERGES))]
    statuses: list[Status] = []
    merges: list[Merge] = []
    for component, where in units:
        try:
            statuses += _statuses(component, where, found, desks, aside)
        except EidoError as error:
            aside.append(str(error))
            unread.append(time_said(component))
        if len(statuses) > MAX_STATUSES:
            raise EidoError(f"{_UNITS}: more than {MAX_STATUSES} statuses")
    for component, where in merging:
        try:
            merges += _merges(component, where, found.everyone)
        except EidoError as error:
            aside.append(str(error))
            unread.append(time_said(component))
    times = [incident.at for incident in found.incidents] + [status.at for status in statuses]
    if written_at is not None:
        times.append(written_at)
    if not times or (aside and not found.incidents):
        raise EidoError(aside[0] if aside else "lastUpdateTimeStamp: missing")
    said = Snapshot(tuple(found.incidents), tuple(statuses), tuple(merges), max(times))
    if not aside:
        return said
    dated = times + [at for at in unread if at is not None]
    latest = None if None in unread else max(dated)
    return said._replace(set_aside=bounded(aside), earliest=min(dated), latest=latest)


def together(snapshots: Sequence[Snapshot]) -> Snapshot:
    """One snapshot that says what these (one at least) say, each thing once."""
    return Snapshot(
        tuple({incident for one in snapshots for incident in one.incidents}),
        tuple({status for one in snapshots for status in one.statuses}),
        tuple({merge for one in snapshots for merge in one.merges}),
        max(one.as_of for one in snapshots),
        tuple(part for one in snapshots for part in one.set_aside),
    )


class _Incidents:
    """The incidents that a document is about, and which of them a unit is on."""

    def __init__(self, document: Component, written_at: datetime | None, aside: list[str]) -> None:
        self.incidents: list[Incident] = []
        self.unread: list[Component] = []
        self._named: dict[str, str] = {}
        entries = list(components(document, _INCIDENTS, aside))
        header = tracking_id(document)
        if not entries and header is not None and written_at is not None:
            entries = [({}, "")]  # a document without the component is about what its header names (section 2.4)
        for component, where in entries:
            own = header if len(entries) == 1 and header is not None else tracking_id(component)
            try:
                incident = _incident(component, where, written_at, own, aside)
            except EidoError as error:
                aside.append(str(error))
                self.unread.append(component)
                continue
            self.incidents.append(incident)
            if len(entries) > 1:
                for name in (reference(component.get("$id")), own or ""):
                    self._named.setdefault(name, incident.incident_id)
                    self._named.setdefault(local_name(name), incident.incident_id)
        self.everyone = tuple(dict.fromkeys(incident.incident_id for incident in self.incidents))

    def of(self, unit: Component, where: str) -> tuple[str, ...]:
        """A document is about one; of several it is the one that the unit refers to, or else all of them.

        Raises EidoError when there is none.
        """
        if not self.everyone:
            raise EidoError(f"{where}incidentReference: the document names no incident")
        if len(self.everyone) == 1:
            return self.everyone
        name = reference(unit.get("incidentReference"))
        named = self._named.get(name) or self._named.get(local_name(name)) if name else None
        return (named,) if named else self.everyone


def _incident(
    component: Component, where: str, written_at: datetime | None, tracking: str | None, aside: list[str]
) -> Incident:
    text = component.get("incidentTypeCommonRegistryText")
    text = text_of(text[0] if isinstance(text, list) and text else text)
    priority = component.get("incidentCommonPriorityNumber")
    at = _written_at(component, where, aside) or written_at
    return Incident(
        _incident_id(component, where, tracking, aside),
        text[:200] or "unknown",
        priority if isinstance(priority, int) and not isinstance(priority, bool) else None,
        at or time_of(component, where),
        tracking,
    )


def _incident_id(component: Component, where: str, tracking: str | None, aside: list[str]) -> str:
    """The agency's own id; where there is none that can be used, the tracking identifier."""
    field, own = f"{where}internalIncidentId", component.get("internalIncidentId")
    if own is None and tracking is not None:
        return checked(tracking, f"{where}$id")
    try:
        return checked(text_of(own), field)
    except EidoError as error:
        if tracking is None:
            raise
        aside.append(str(error))
        return checked(tracking, f"{where}$id")


def _written_at(component: Component, where: str, aside: list[str]) -> datetime | None:
    if stamp(component) is None:
        return None
    try:
        return time_of(component, where)
    except EidoError as error:
        aside.append(str(error))
        return None


def _statuses(
    component: Component, where: str, incidents: _Incidents, desks: Collection[str], aside: list[str]
) -> list[Status]:
    """A component without a status says nothing of an assignment, whatever else may be wrong with it."""
    entries = listed(component.get("secondaryUnitStatusRegistryText"), f"{where}secondaryUnitStatusRegistryText")
    words = [word[:64] for entry in entries if (word := text_of(entry))]
    if not words:
        if any(entry is not None and not isinstance(entry, str) for entry in entries):
            raise EidoError(f"{where}secondaryUnitStatusRegistryText: expected text")
        return []
    unit_id = name_in(component.get("$id"), f"{where}$id")
    at = time_of(component, where)
    officers = _officers(component, f"{where}agentReference", desks, aside)
    return [
        Status(incident_id, unit_id, officers, _CANONICAL.get(word.translate(_SPACING).lower(), word), at)
        for word in words
        for incident_id in incidents.of(component, where)
    ]


def _officers(component: Component, field: str, desks: Collection[str], aside: list[str]) -> tuple[str, ...]:
    found: set[str] = set()
    for entry in listed(component.get("agentReference"), field):
        if entry in (None, "", {}) or (name := reference(entry)) in desks:
            continue  # refers to nobody, or to nobody on the street
        try:
            found.add(name_in(name, field))
        except EidoError as error:
            aside.append(str(error))
    return tuple(sorted(found))


def _merges(component: Component, where: str, incident_ids: tuple[str, ...]) -> list[Merge]:
    code = text_of(component.get("incidentMergeDirectionCode")).upper()
    direction = next((known for known in _DIRECTIONS if known == code), None)
    if direction is None:
        raise EidoError(f"{where}incidentMergeDirectionCode: expected REPLACING, REPLACED or SPLIT")
    other = tracking_text(component.get("incidentTrackingIdentifier"))
    if not other:
        raise EidoError(f"{where}incidentTrackingIdentifier: missing")
    own = local_name(other)
    internal = own if is_dispatch_id(own) else None
    return [Merge(incident_id, direction, other, internal) for incident_id in incident_ids]


def bounded(aside: Sequence[str]) -> tuple[str, ...]:
    """So many parts by name, and how many more there are."""
    more = len(aside) - MAX_ASIDE
    return tuple(aside) if more <= 0 else (*aside[:MAX_ASIDE], f"and {more} parts more")

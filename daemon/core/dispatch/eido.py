"""What a dock needs of a NENA EIDO document (Emergency Incident Data Object, NENA-STA-021.1).

A document is a snapshot of an incident: which units are on it, with whom, in what status, since when. Real ones carry
far more than that; whatever is not named here is ignored. Where the standard has a list a single object will do, and
the other way round.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain, islice
from typing import Any, Literal, NamedTuple

from daemon.model.errors import VerificationError
from daemon.model.times import truncate
from daemon.model.types import check_id

LIMIT = 1 << 20
"""The largest document worth parsing, in bytes of JSON."""
MAX_COMPONENTS = 1000
"""The most entries in any one list of a document."""
MAX_STATUSES = 10_000
"""The most that one document may say of units on incidents."""
MAX_TEXT = 1000
"""What is read of an identifier, in characters."""

Direction = Literal["REPLACING", "REPLACED", "SPLIT"]
_DIRECTIONS: tuple[Direction, ...] = ("REPLACING", "REPLACED", "SPLIT")
_TRACKING = "urn:emergency:uid:incidentid:"
_CANONICAL = {
    "dispatched": "Dispatched",
    "cleared": "Cleared",
    "assignmentcancelled": "AssignmentCancelled",
    "assignmentcanceled": "AssignmentCancelled",
}


class EidoError(VerificationError):
    """The document cannot be used; the message names the field. To be set aside, and the next one handled."""


class Incident(NamedTuple):
    """What an incident was called at `at`. `priority` as dispatch gives it, where it is a number.

    `tracking_id` is what the incident is called everywhere (section 2.1), where the document says so.
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
    """One document. `as_of` is the newest time in the parts that are read: how far this document sees."""

    incidents: tuple[Incident, ...]
    statuses: tuple[Status, ...]
    merges: tuple[Merge, ...]
    as_of: datetime

    @property
    def span(self) -> tuple[datetime, datetime]:
        """The first and the last time of its statuses; `as_of` where it has none."""
        times = [status.at for status in self.statuses] or [self.as_of]
        return min(times), max(times)


def parse(document: Mapping[str, Any]) -> Snapshot:
    """The snapshot in a parsed JSON document. Raises EidoError when a part that is needed cannot be used."""
    written_at = _time(document, "") if document.get("lastUpdateTimeStamp") is not None else None
    incidents: list[Incident] = []
    names: dict[str, str] = {}
    components = list(_components(document, "incidentComponent"))
    whole = document if len(components) == 1 else {}  # of several incidents the header names none
    for component, where in components:
        incident = _incident(component, where, written_at, _tracking(whole) or _tracking(component))
        incidents.append(incident)
        names[_before_at(component.get("$id"))] = incident.incident_id
    if not incidents:
        raise EidoError("incidentComponent: missing")
    everyone = tuple(dict.fromkeys(incident.incident_id for incident in incidents))
    units = _components(document, "emergencyResourceComponent")
    said = (_statuses(component, where, _its_incidents(component, names, everyone)) for component, where in units)
    statuses = tuple(islice(chain.from_iterable(said), MAX_STATUSES + 1))
    if len(statuses) > MAX_STATUSES:
        raise EidoError(f"emergencyResourceComponent: more than {MAX_STATUSES} statuses")
    merges = [
        merge
        for component, where in _components(document, "mergeComponent")
        for merge in _merges(component, where, everyone)
    ]
    times = [incident.at for incident in incidents] + [status.at for status in statuses]
    if written_at is not None:
        times.append(written_at)
    return Snapshot(tuple(incidents), statuses, tuple(merges), max(times))


def together(snapshots: Sequence[Snapshot]) -> Snapshot:
    """One snapshot that says what these (one at least) say, each thing once."""
    return Snapshot(
        tuple({incident for one in snapshots for incident in one.incidents}),
        tuple({status for one in snapshots for status in one.statuses}),
        tuple({merge for one in snapshots for merge in one.merges}),
        max(one.as_of for one in snapshots),
    )


@lru_cache(maxsize=4096)
def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} has no offset from UTC")
    return truncate(at)


def instant(text: object) -> datetime:
    """An ISO 8601 time with an offset or `Z`, in UTC to the millisecond. Raises ValueError for anything else."""
    if not isinstance(text, str) or len(text) > 64 or not text.isascii():
        raise ValueError("expected a time with its offset, like 2023-11-29T13:45:02.120-08:00")
    return _instant(text)


def _incident(
    component: Mapping[str, Any], where: str, written_at: datetime | None, tracking_id: str | None
) -> Incident:
    if component.get("lastUpdateTimeStamp") is not None or written_at is None:
        written_at = _time(component, where)
    text = component.get("incidentTypeCommonRegistryText")
    text = text[0] if isinstance(text, list) and text else text
    priority = component.get("incidentCommonPriorityNumber")
    return Incident(
        _id(component.get("internalIncidentId"), f"{where}internalIncidentId"),
        text.strip()[:200] if isinstance(text, str) and text.strip() else "unknown",
        priority if isinstance(priority, int) and not isinstance(priority, bool) else None,
        written_at,
        tracking_id,
    )


def _tracking(component: Mapping[str, Any]) -> str | None:
    """The tracking identifier that a header or an incident's component has for its `$id`."""
    text = _tracking_text(component.get("$id"))
    return text if text.startswith(_TRACKING) else None


def _tracking_text(value: object) -> str:
    """As it is written, but for the prefix, whose case is free (RFC 8141 section 3.1)."""
    text = value.strip()[:MAX_TEXT] if isinstance(value, str) else ""
    prefix = text[: len(_TRACKING)]
    return _TRACKING + text[len(_TRACKING) :] if prefix.lower() == _TRACKING else text


def _its_incidents(
    component: Mapping[str, Any], names: Mapping[str, str], everyone: tuple[str, ...]
) -> tuple[str, ...]:
    """The incidents a unit is on: a document is about one; of several it is the referenced one, or else all of them."""
    reference = component.get("incidentReference")
    if len(everyone) == 1 or not isinstance(reference, dict):
        return everyone
    named = names.get(_before_at(reference.get("$ref")))
    return (named,) if named is not None else everyone


def _statuses(component: Mapping[str, Any], where: str, incident_ids: tuple[str, ...]) -> Iterator[Status]:
    """A component without a status says nothing of an assignment, whatever else may be wrong with it."""
    listed = _listed(component.get("secondaryUnitStatusRegistryText"), f"{where}secondaryUnitStatusRegistryText")
    words = [word.strip()[:64] for word in listed if isinstance(word, str) and word.strip()]
    if not words:
        return
    unit_id = _id(_before_at(component.get("$id")), f"{where}$id")
    at = _time(component, where)
    field = f"{where}agentReference"
    references = _listed(component.get("agentReference"), field)
    names = {_before_at(item.get("$ref") if isinstance(item, dict) else item) for item in references}
    officers = tuple(sorted(_id(name, field) for name in names if name))
    for word in words:
        status = _CANONICAL.get(word.replace(" ", "").lower(), word)
        for incident_id in incident_ids:
            yield Status(incident_id, unit_id, officers, status, at)


def _merges(component: Mapping[str, Any], where: str, incident_ids: tuple[str, ...]) -> Iterator[Merge]:
    code = component.get("incidentMergeDirectionCode")
    direction = next((known for known in _DIRECTIONS if known == code), None)
    if direction is None:
        raise EidoError(f"{where}incidentMergeDirectionCode: expected REPLACING, REPLACED or SPLIT")
    other = _tracking_text(component.get("incidentTrackingIdentifier"))
    internal = _before_at(other.removeprefix(_TRACKING).partition(":")[0] if other.startswith(_TRACKING) else other)
    try:
        own: str | None = check_id(internal)
    except ValueError:
        own = None
    if other:
        yield from (Merge(incident_id, direction, other, own) for incident_id in incident_ids)


def _components(document: Mapping[str, Any], name: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Each entry with the prefix that names its fields."""
    listed = _listed(document.get(name), name)
    for number, component in enumerate(listed):
        if not isinstance(component, dict):
            raise EidoError(f"{name}[{number}]: expected an object")
        yield component, f"{name}[{number}]."


def _listed(value: object, where: str) -> list[Any]:
    if value is None:
        return []
    listed = value if isinstance(value, list) else [value]
    if len(listed) > MAX_COMPONENTS:
        raise EidoError(f"{where}: {len(listed)} entries, more than the {MAX_COMPONENTS} allowed")
    return listed


def _before_at(text: object) -> str:
    """`711` of `711@police.example`; empty where there is no text."""
    return text.partition("@")[0].strip() if isinstance(text, str) else ""


def _id(value: object, where: str) -> str:
    try:
        return check_id(value if isinstance(value, str) else "")
    except ValueError as error:
        raise EidoError(f"{where}: {error}") from None


def _time(component: Mapping[str, Any], where: str) -> datetime:
    try:
        return instant(component.get("lastUpdateTimeStamp"))
    except ValueError as error:
        raise EidoError(f"{where}lastUpdateTimeStamp: {error}") from None

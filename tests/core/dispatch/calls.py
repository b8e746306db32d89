"""Dispatch in a line: short spellings of EIDO documents, clips and assignments for tests.

Times are hours and minutes of 29 November 2023 in UTC (`21:00`, `21:00:30.5`, past midnight `25:10`), or ISO 8601 as it
would stand in a document.

- document: `I1: 711 A+B Dispatched 21:00; 711 - Cleared 22:00; merge REPLACED I2`; `-` is a unit without agents
- clip: `a: A 20:59:30 21:00 22:00` (officer, start with the pre-event buffer, trigger, stop)
- assignment: `I1 711 A 21:00..22:00`, open `I1 711 A 21:00..`
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from daemon.core.dispatch.activation import Assignment, Clip
from daemon.core.dispatch.assignments import dispatched
from daemon.core.dispatch.eido import Snapshot
from daemon.core.dispatch.eido_fields import instant

DAY = datetime(2023, 11, 29, tzinfo=UTC)


def at(text: str) -> datetime:
    if "T" in text.upper():
        return instant(text)
    parts = [float(part) for part in text.split(":")]
    return DAY + sum(
        (timedelta(seconds=part * unit) for part, unit in zip(parts, (3600, 60, 1), strict=False)), timedelta()
    )


def iso(text: str) -> str:
    return text if "T" in text.upper() else at(text).isoformat(timespec="milliseconds")


def document(line: str) -> dict[str, Any]:
    """The EIDO document that the line spells."""
    incident_id, _, rest = line.partition(": ")
    words = [entry.split() for entry in rest.split("; ") if entry]
    units = [entry for entry in words if entry[0] != "merge"]
    newest = max((iso(entry[3]) for entry in units), key=instant, default=DAY.isoformat())
    found: dict[str, Any] = {
        "$id": f"urn:emergency:uid:incidentid:{incident_id}:cad.example",
        "lastUpdateTimeStamp": newest,
        "incidentComponent": [
            {
                "$id": f"{incident_id}@cad.example",
                "lastUpdateTimeStamp": newest,
                "internalIncidentId": incident_id,
                "incidentTypeCommonRegistryText": "Theft",
                "incidentCommonPriorityNumber": 4,
            }
        ],
        "emergencyResourceComponent": [_unit(*entry) for entry in units],
        "callComponent": [{"lastUpdateTimeStamp": "whenever", "callStateRegistryText": 7}],
    }
    merges = [
        {
            "incidentMergeDirectionCode": direction,
            "incidentTrackingIdentifier": f"urn:emergency:uid:incidentid:{other}:cad.example",
        }
        for _, direction, other in (entry for entry in words if entry[0] == "merge")
    ]
    return found | ({"mergeComponent": merges} if merges else {})


def _unit(unit_id: str, officers: str, status: str, since: str) -> dict[str, Any]:
    agents = [] if officers == "-" else officers.split("+")
    return {
        "$id": f"{unit_id}@police.example",
        "lastUpdateTimeStamp": iso(since),
        "secondaryUnitStatusRegistryText": [status],
        "agentReference": [{"$ref": f"{officer}@police.example"} for officer in agents],
    }


def clip(line: str) -> Clip:
    clip_id, officer_id, *times = line.replace(":", "", 1).split()
    return Clip(clip_id, officer_id, *(at(time) for time in times))


def assignment(line: str) -> Assignment:
    incident_id, unit_id, officer_id, span = line.split()
    begin, _, end = span.partition("..")
    return Assignment(incident_id, "Theft", unit_id, officer_id, at(begin), at(end) if end else None)


def newest_stops(clips: Iterable[Clip]) -> dict[str, datetime]:
    """As far as cameras are known to have docked when nothing but their clips is known."""
    until: dict[str, datetime] = {}
    for item in clips:
        until[item.officer_id] = max(until.get(item.officer_id, item.stopped_at), item.stopped_at)
    return until


def assignments(snapshots: Iterable[Snapshot], cameras: Collection[str] | None = None) -> tuple[Assignment, ...]:
    """The assignments that these documents come to."""
    return dispatched(snapshots, cameras).assignments

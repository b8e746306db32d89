"""One incident at one moment as an Emergency Incident Data Object (NENA-STA-021.1, EIDO JSON).

It also has what a real one has and a dock does not need: callers, locations, notes, call takers.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from device_sim.dispatch.incidents import CLEARING, Incident, UnitCall

POLICE = "police.example"
_STREETS = ("SE Division St", "NE Sandy Blvd", "SW 5th Ave", "N Lombard St", "NW Everett St", "SE 82nd Ave")
_NOTES = (
    "caller says two men are shouting outside",
    "back door found open, alarm sounding",
    "vehicle left northbound, plate not seen",
    "cover unit asked for",
    "medical staged two blocks away",
)

Clock = Callable[[datetime], str]


def document(incident: Incident, at: datetime, agency: str, clock: Clock, *, history: bool) -> dict[str, Any]:
    """The incident as it was at `at`; `clock` writes its times.

    Each unit appears once, with its latest status; with `history` once for each status so far.
    Pure: the invented parts depend only on the incident's id.
    """
    host = f"cad.{agency}.example"
    who = _Author(clock(at), f"d{7 + sum(incident.incident_id.encode()) % 5}@{host}")
    dice = random.Random(incident.incident_id)
    opened = incident.instants()[0] if incident.instants() else at
    merges = [merge for merge in incident.merges if merge.at is None or merge.at <= at]
    resources = [
        component
        for unit in incident.units
        for component in _resources(unit, at, incident_ref(incident.incident_id, host), who, clock, history)
    ]
    return {
        **who.signs(tracking_id(incident.incident_id, host)),
        "eidoVersion": "1.0",
        "issuingElementIdentification": host,
        "incidentComponent": [_incident(incident, who, host)],
        "callComponent": [_call(incident, who, host, clock(opened - timedelta(seconds=dice.randrange(20, 90))))],
        "dispatchComponent": [_dispatch(incident, who, resources)],
        "emergencyResourceComponent": resources,
        "agencyComponent": [_agency(who, POLICE, "police"), _agency(who, host, "psap")],
        "agentComponent": _agents(incident, at, who, host),
        "locationComponent": [_location(incident, who, dice)],
        "personComponent": [_caller(incident, who)],
        "notesComponent": _notes(incident, who, dice),
        **({"mergeComponent": [_merge(m.direction, m.incident_id, who, host) for m in merges]} if merges else {}),
        "@context": {"@vocab": "./JSON-LD_Contexts/EmergencyIncidentDataObjectType.jsonld"},
    }


def notification(document: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    """The document as a subscriber is notified of it (NENA-STA-024.1 section 2.1.5)."""
    event = {"subscriptionId": "docks", "transactionId": f"{dice.getrandbits(64):016x}", "notification": [document]}
    return {"event": event}


def tracking_id(incident_id: str, host: str) -> str:
    """An incident's tracking identifier, `urn:emergency:uid:incidentid:<string>:<host>`, without its number."""
    string = hashlib.sha256(incident_id.encode()).hexdigest()[:20]
    return f"urn:emergency:uid:incidentid:{string}:{host}"


def unit_id(unit: str) -> str:
    """The `$id` of a unit's component: of some a URN."""
    return f"urn:emergency:uid:resourceid:{unit}:{POLICE}" if unit.endswith("9") else f"{unit}@{POLICE}"


def officer_id(officer: str) -> str:
    """The `$id` of an officer's component: of some a URN."""
    return f"urn:emergency:uid:agentid:{officer}:{POLICE}" if officer.endswith("9") else f"{officer}@{POLICE}"


def incident_ref(incident_id: str, host: str) -> str:
    """The `$id` of an incident's own component, which units refer to."""
    return f"{incident_id}@{host}"


class _Author:
    """Writes the fields that every component has (section 2.2): id, time, agency, agent."""

    def __init__(self, at: str, dispatcher: str) -> None:
        self.at = at
        self.dispatcher = dispatcher

    def signs(self, component_id: str, at: str | None = None) -> dict[str, Any]:
        return {
            "$id": component_id,
            "lastUpdateTimeStamp": at or self.at,
            "updatedByAgencyReference": {"$ref": POLICE},
            "updatedByAgentReference": {"$ref": self.dispatcher},
        }


def _incident(incident: Incident, who: _Author, host: str) -> dict[str, Any]:
    return {
        **who.signs(incident_ref(incident.incident_id, host)),
        "internalIncidentId": incident.incident_id,
        "incidentTypeCommonRegistryText": incident.incident_type,
        "incidentTypeInternalText": incident.incident_type.upper(),
        "incidentCommonPriorityNumber": incident.priority,
        "incidentPriorityInternalText": f"P{incident.priority}",
        "incidentStatusCommonRegistryText": ["Active"],
        "beatOrDispatchGroupText": f"PD{1 + incident.priority % 3}",
        "locationReference": [{"$ref": f"loc-{incident.incident_id}"}],
        "notesReference": [{"$ref": f"note-{incident.incident_id}-0"}],
    }


def _resources(
    unit: UnitCall, at: datetime, ref: str, who: _Author, clock: Clock, history: bool
) -> list[dict[str, Any]]:
    """Beside some units' officers stands their dispatcher."""
    known = sorted((status for status in unit.statuses if status[1] <= at), key=lambda status: status[1])
    named = unit.crew_known_from is None or unit.crew_known_from <= at
    desk = [who.dispatcher] if unit.unit_id.endswith("5") else []
    return [
        {
            "$id": unit_id(unit.unit_id),
            "lastUpdateTimeStamp": clock(since),
            "updatedByAgencyReference": {"$ref": POLICE},
            "emergencyResourceName": f"Unit {unit.unit_id}",
            "emergencyResourceTypeCommonRegistryText": "Law Enforcement Patrol Vehicle",
            "primaryUnitStatusRegistryText": "Available" if status in CLEARING else "NotAvailable",
            "secondaryUnitStatusRegistryText": [status],
            "unitStatusInternal": [status[:3].upper()],
            "resourceAttributeRegistryText": ["Patrol"],
            "agentReference": [
                {"$ref": agent} for agent in [*map(officer_id, unit.crew_at(since) if named else ()), *desk]
            ],
            "incidentReference": {"$ref": ref},
        }
        for status, since in (known if history else known[-1:])
    ]


def _dispatch(incident: Incident, who: _Author, resources: list[dict[str, Any]]) -> dict[str, Any]:
    units = sorted({resource["$id"] for resource in resources})
    return {
        **who.signs(f"dispatch-{incident.incident_id}"),
        "agencyReference": {"$ref": POLICE},
        "agentReference": {"$ref": who.dispatcher},
        "emergencyResourceReference": [{"$ref": unit} for unit in units],
    }


def _agents(incident: Incident, at: datetime, who: _Author, host: str) -> list[dict[str, Any]]:
    """The officers on the units, and the people at desks, who have no camera."""
    known = [unit for unit in incident.units if unit.crew_known_from is None or unit.crew_known_from <= at]
    crews = [unit.officers for unit in known if not unit.crew_unknown]
    officers = sorted({officer for crew in crews for officer in crew})
    patrol = [
        {
            **who.signs(officer_id(officer)),
            "agentRoleRegistryText": ["Responder"],
            "agencyReference": {"$ref": POLICE},
        }
        for officer in officers
    ]
    desks = [(who.dispatcher, "Dispatching"), (f"c{3 + incident.priority}@{host}", "Call Taking")]
    return patrol + [
        {
            **who.signs(agent),
            "agentRoleRegistryText": [role],
            "agencyReference": {"$ref": host},
            "agentWorkstationPositionIdentification": f"position{number + 1}@{host}",
        }
        for number, (agent, role) in enumerate(desks)
    ]


def _agency(who: _Author, host: str, kind: str) -> dict[str, Any]:
    return {
        **who.signs(host),
        "agencyRoleDescriptionRegistryText": ["Dispatch" if kind == "psap" else "Response"],
        "agencyType": [kind],
        "incidentOwningAgencyIndicator": kind == "police",
    }


def _call(incident: Incident, who: _Author, host: str, began: str) -> dict[str, Any]:
    return {
        **who.signs(f"urn:emergency:uid:callid:{incident.incident_id}:{host}"),
        "callStateRegistryText": "callEnded",
        "standardPrimaryCallType": "emergency",
        "direction": "incoming",
        "callStartTimestamp": began,
        "personReference": [{"$ref": f"caller-{incident.incident_id}"}],
    }


def _location(incident: Incident, who: _Author, dice: random.Random) -> dict[str, Any]:
    street, number = dice.choice(_STREETS), dice.randrange(100, 12000)
    return {
        **who.signs(f"loc-{incident.incident_id}"),
        "locationTypeDescriptionRegistryText": "Incident",
        "locationDescriptionText": f"{number} {street}",
        "locationByValue": (
            '<civicAddress xmlns="urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr"><country>US</country>'
            f"<A1>OR</A1><A3>Portland</A3><RD>{street}</RD><HNO>{number}</HNO></civicAddress>"
        ),
    }


def _caller(incident: Incident, who: _Author) -> dict[str, Any]:
    return {**who.signs(f"caller-{incident.incident_id}"), "personIncidentRoleRegistryText": ["Caller"]}


def _notes(incident: Incident, who: _Author, dice: random.Random) -> list[dict[str, Any]]:
    return [
        {**who.signs(f"note-{incident.incident_id}-{number}"), "notesActionComments": text}
        for number, text in enumerate(dice.sample(_NOTES, dice.randrange(1, 4)))
    ]


def _merge(direction: str, incident_id: str, who: _Author, host: str) -> dict[str, Any]:
    return {
        **who.signs(f"merge-{direction.lower()}-{incident_id}"),
        "incidentTrackingIdentifier": tracking_id(incident_id, host),
        "incidentMergeDirectionCode": direction,
    }

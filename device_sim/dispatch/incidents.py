"""Incidents as dispatch knows them: their units, the officers on these, and their statuses with times."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from device_sim import times
from device_sim.errors import usage

CLEARING = ("Cleared", "AssignmentCancelled")
DIRECTIONS = ("REPLACING", "REPLACED", "SPLIT")


@dataclass(frozen=True)
class UnitCall:
    """One unit on one incident. Dispatch knows its `officers` from `crew_known_from` on (None: from the start), or with
    `crew_unknown` never. Who is `relieved` is on it no more from that status on.
    """

    unit_id: str
    officers: tuple[str, ...]
    statuses: tuple[tuple[str, datetime], ...]
    crew_known_from: datetime | None = None
    relieved: tuple[tuple[str, datetime], ...] = ()
    crew_unknown: bool = False

    def crew_at(self, at: datetime) -> tuple[str, ...]:
        """Whom dispatch names with a status of that time."""
        gone = {officer for officer, since in self.relieved if since <= at}
        return () if self.crew_unknown else tuple(officer for officer in self.officers if officer not in gone)


@dataclass(frozen=True)
class Merge:
    """What is written of another incident, as the standard has it: that one was REPLACED by this one, is REPLACING this
    one, or this one was SPLIT from it. `at` None: known from the start.
    """

    direction: str
    incident_id: str
    at: datetime | None = None


@dataclass(frozen=True)
class Incident:
    """One call for service. `opened_at`: when dispatch sent a document before any unit was on it; else None."""

    incident_id: str
    incident_type: str
    priority: int
    units: tuple[UnitCall, ...]
    merges: tuple[Merge, ...] = ()
    opened_at: datetime | None = None

    def instants(self) -> list[datetime]:
        """The times at which something about it changed, in order, each once."""
        moments = {at for unit in self.units for _, at in unit.statuses}
        moments |= {unit.crew_known_from for unit in self.units if unit.crew_known_from is not None}
        moments |= {merge.at for merge in self.merges if merge.at is not None}
        moments |= {self.opened_at} if self.opened_at is not None else set()
        return sorted(moments)

    def as_dict(self) -> dict[str, Any]:
        """For JSON, as `load` reads it."""
        return {
            "incident_id": self.incident_id,
            "incident_type": self.incident_type,
            "priority": self.priority,
            **({"opened_at": times.utc_text(self.opened_at)} if self.opened_at else {}),
            "units": [
                {
                    "unit_id": unit.unit_id,
                    "officers": list(unit.officers),
                    "statuses": [[status, times.utc_text(at)] for status, at in unit.statuses],
                    **({"crew_known_from": times.utc_text(unit.crew_known_from)} if unit.crew_known_from else {}),
                    **({"relieved": [[who, times.utc_text(at)] for who, at in unit.relieved]} if unit.relieved else {}),
                    **({"crew_unknown": True} if unit.crew_unknown else {}),
                }
                for unit in self.units
            ],
            "merge": [
                {
                    "direction": merge.direction,
                    "incident_id": merge.incident_id,
                    **({"at": times.utc_text(merge.at)} if merge.at else {}),
                }
                for merge in self.merges
            ],
        }


def load(path: Path) -> list[Incident]:
    """Incidents from a JSON list. Raises a usage error that names the file and the field."""
    try:
        listed = json.loads(path.read_bytes())
    except OSError as bad:
        raise usage(f"cannot read {path}", (bad.strerror or "unreadable").lower()) from bad
    except ValueError as bad:
        raise usage(f"{path} is not json", str(bad)) from bad
    if not isinstance(listed, list):
        raise usage(f"{path} is not a list of incidents")
    return [_incident(item, f"{path}: [{number}]") for number, item in enumerate(listed)]


def _incident(item: Any, where: str) -> Incident:
    try:
        return Incident(
            incident_id=str(item["incident_id"]),
            incident_type=str(item.get("incident_type", "Unknown")),
            priority=int(item.get("priority", 3)),
            units=tuple(_unit(unit) for unit in item.get("units", [])),
            merges=tuple(_merge(merge) for merge in item.get("merge") or []),
            opened_at=times.parse(item["opened_at"]) if item.get("opened_at") else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as bad:
        raise usage(f"{where}: cannot use this incident: {type(bad).__name__} {bad}", _FORM) from bad


def _unit(item: Any) -> UnitCall:
    known = item.get("crew_known_from")
    return UnitCall(
        unit_id=str(item["unit_id"]),
        officers=tuple(str(officer) for officer in item.get("officers", [])),
        statuses=tuple((str(status), times.parse(at)) for status, at in item["statuses"]),
        crew_known_from=times.parse(known) if known else None,
        relieved=tuple((str(officer), times.parse(at)) for officer, at in item.get("relieved", [])),
        crew_unknown=item.get("crew_unknown") is True,
    )


def _merge(item: Any) -> Merge:
    """`{"direction", "incident_id", "at"?}`, or `["REPLACING", "ID", at?]`."""
    named = dict(zip(("direction", "incident_id", "at"), item, strict=False)) if isinstance(item, list) else item
    if named["direction"] not in DIRECTIONS:
        raise ValueError(f"direction {named['direction']!r} is none of {', '.join(DIRECTIONS)}")
    at = named.get("at")
    return Merge(named["direction"], str(named["incident_id"]), times.parse(at) if at else None)


_FORM = (
    '{"incident_id", "incident_type", "priority", "units": [{"unit_id", "officers": [], '
    '"statuses": [["Dispatched", "2023-11-29T21:45:02.120Z"], …], "relieved": [["OFFICER", TIME]]}], '
    '"merge": [["REPLACED", "ID"]]}'
)

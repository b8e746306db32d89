"""Why a camera was not on as it should have been: said by a supervisor, or by the agency of a type of call.

The verdict stays. An excusal stands beside it, and is counted apart.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

EXCUSABLE = frozenset({"late", "absent", "partial"})
"""Verdicts that there is something to excuse about."""


class Excused(NamedTuple):
    """Why, and who says so; `by` None: the agency, of every call of this type."""

    reason: str
    note: str | None = None
    by: str | None = None


class Excusals(NamedTuple):
    """What is excused: for an incident's id and an officer's, and for types of incident."""

    said: Mapping[tuple[str, str], Excused] = {}
    types: Collection[str] = ()

    def of(self, incident_id: str, incident_type: str, officer_id: str, verdict: str) -> Excused | None:
        """What excuses an officer's verdict on a call. A person's word is told rather than the type's."""
        if verdict not in EXCUSABLE:
            return None
        said = self.said.get((incident_id, officer_id))
        if said is None and incident_type.casefold() in {name.casefold() for name in self.types}:
            return Excused("call_type")
        return said


NO_EXCUSALS = Excusals()

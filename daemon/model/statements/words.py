"""The words that statements are made of, and what every statement is."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from daemon.model.types import ClipId, Id, Signed

Trigger = Literal[
    "button",
    "dispatch",
    "light_bar",
    "sidearm",
    "conducted_energy_weapon",
    "vehicle",
    "timeout",
    "battery",
    "docked",
    "unknown",
]


Integrity = Literal["verified", "unsigned", "mismatch", "unplayable"]


Force = Literal["none", "minimal", "nondeadly", "serious", "deadly"]


Role = Literal[
    "officer",
    "supervisor",
    "detective",
    "internal_affairs",
    "records",
    "chief",
    "training",
    "counsel",
    "attorney",
]
"""`counsel` is the agency's lawyer, who approves courts' orders. `attorney`: prosecution and defence."""


Purpose = Literal["report", "statement", "interview", "investigation", "supervision", "training", "court", "disclosure"]


Verdict = Literal["on_time", "late", "partial", "absent", "pending", "excused"]


ExcusalReason = Literal["equipment_failure", "relieved", "training", "other"]
"""Why a camera was not on as it should have been."""


DecidingKind = Literal[
    "classification",
    "statement",
    "report",
    "authorization",
    "hold",
    "correction",
    "declaration",
    "label",
    "withdrawal",
]
"""Kinds of attestation that decisions rest on."""


Ids = Annotated[tuple[Id, ...], Field(max_length=1000)]


ClipIds = Annotated[tuple[ClipId, ...], Field(max_length=10000)]


class Statement(Signed):
    """A signed payload. `kind` is its name in the envelope's payload type."""

    kind: ClassVar[str]


def exactly_one(clip_id: str | None, incident_id: str | None) -> None:
    """Raises ValueError unless a statement is about a clip or about an incident, and not both."""
    if (clip_id is None) == (incident_id is None):
        raise ValueError("expected a clip_id or an incident_id, and not both")

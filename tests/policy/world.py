"""The scene of the decision table: who is who, and what facts say of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from daemon.policy.rules.facts import Facts

NOW = datetime(2023, 11, 29, 22, 0, tzinfo=UTC)
OCCURRED = NOW - timedelta(hours=2)
VIEWERS: dict[str, tuple[str, list[str]]] = {
    "wearer": ("W1", ["officer"]),
    "involved": ("O1", ["officer"]),
    "unnamed wearer": ("N1", ["officer"]),
    "witness wearer": ("T1", ["officer"]),
    "witness": ("T1", ["officer"]),
    "outsider": ("X1", ["officer"]),
    "supervisor": ("S1", ["supervisor"]),
    "detective": ("D1", ["detective"]),
    "internal affairs": ("A1", ["internal_affairs"]),
    "records": ("R1", ["records"]),
    "chief": ("C1", ["chief"]),
    "training": ("G1", ["training"]),
    "attorney": ("L1", ["attorney"]),
    "ia supervisor": ("A1", ["internal_affairs", "supervisor"]),
    "ia records": ("A1", ["internal_affairs", "records"]),
    "ia wearer": ("W1", ["officer", "internal_affairs"]),
    "ia witness wearer": ("T1", ["officer", "internal_affairs"]),
    "records wearer": ("W1", ["officer", "records"]),
}
TIERS: dict[str, dict[str, Any]] = {
    "none": {"force": "none"},
    "minimal": {"force": "minimal"},
    "nondeadly": {"force": "nondeadly"},
    "serious": {"force": "serious"},
    "deadly": {"force": "deadly"},
    "death": {"force": "none", "in_custody_death": True},
    "serious_death": {"force": "serious", "in_custody_death": True},
    "unclassified": {"force": "unclassified"},
}
COURT_ORDER = {
    "reference": "23CV-1187",
    "court": "Multnomah County Circuit Court",
    "dated": "2023-11-29T12:00:00.000Z",
    "sha256": "ab" * 32,
}
Given = tuple[str, str, str]
"""(officer, to, form) of a statement, or (officer, "report", "")."""


def wearer_of(viewer: str) -> str:
    return {"unnamed wearer": "N1", "witness wearer": "T1", "ia witness wearer": "T1"}.get(viewer, "W1")


def involved_in(viewer: str) -> set[str]:
    return {"W1", "O1"} | ({"N1"} if viewer == "unnamed wearer" else set())


def document(tier: str, viewer: str, purpose: str, given: set[Given] = frozenset(), **more: Any) -> dict[str, Any]:  # type: ignore[assignment]
    """A facts document of the scene, before it is read."""
    person, roles = VIEWERS[viewer]
    said_at = NOW - timedelta(hours=1)
    return {
        "now": NOW,
        "clip": {
            "clip_id": "c1",
            "officer_id": wearer_of(viewer),
            "incident_id": "i1",
            "started_at": OCCURRED - timedelta(minutes=10),
        },
        "incident": {
            "incident_id": "i1",
            "involved": ["W1", "O1"],
            "witnesses": ["T1"],
            "occurred_at": OCCURRED,
            **TIERS[tier],
        },
        "statements": [
            {"officer_id": officer, "to": to, "form": form, "given_at": said_at}
            for officer, to, form in sorted(given)
            if to != "report"
        ],
        "reports": [{"officer_id": officer, "filed_at": said_at} for officer, to, _ in sorted(given) if to == "report"],
        "viewer": {"person_id": person, "roles": roles},
        "purpose": purpose,
        **more,
    }


def facts(tier: str, viewer: str, purpose: str, given: set[Given] = frozenset(), **more: Any) -> Facts:  # type: ignore[assignment]
    return Facts.model_validate(document(tier, viewer, purpose, given, **more))


def authorization(viewer: str, purpose: str, **more: Any) -> dict[str, Any]:
    return {
        "person_id": VIEWERS[viewer][0],
        "purposes": [purpose],
        "expires_at": NOW + timedelta(days=1),
        "by": "C9",
        **more,
    }

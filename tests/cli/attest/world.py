"""A small known world: three incidents' clips, and who is enrolled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from daemon.cli.attest.facts import Fact, facts_of
from daemon.cli.attest.people import People
from daemon.model import statements as st
from daemon.model.query_results import ListedClip
from daemon.model.zones import AgencyZone, zone_named
from daemon.review.known import Known, KnownClip

EVENING = datetime(2026, 11, 28, 4, 0, tzinfo=UTC)
"""20:00 on 27 November in Portland."""
PORTLAND: AgencyZone = zone_named("America/Los_Angeles")
PEOPLE = People({"51234": "Officer Lee", "52345": "Officer Park", "41001": "Sergeant Reyes"})


def clip_id(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-{number:012x}"


def clip(number: int, *incidents: str, officer: str = "51234", skew: float = 0.0, **changes: Any) -> KnownClip:
    """A clip of ten minutes that begins `number` hours into the evening, with half a minute of pre-event buffer."""
    start = EVENING + timedelta(hours=number, seconds=skew)
    values: dict[str, Any] = {
        "clip_id": clip_id(number),
        "dock_id": "central-1",
        "officer_id": officer,
        "incidents": incidents,
        "started_at": start,
        "triggered_at": start + timedelta(seconds=30),
        "stopped_at": start + timedelta(minutes=10),
        "trigger": "button",
        "skew": skew,
    }
    return KnownClip(**(values | changes))


def known(*clips: KnownClip) -> Known:
    return Known({each.clip_id: each for each in clips})


def listed(clip: KnownClip, *unclassified: str, **changes: Any) -> ListedClip:
    """A clip as the policy service lists it. Nobody has classified these incidents."""
    standing = {"clip_id": clip.clip_id, "force": "unclassified", "incidents": clip.incidents}
    values: dict[str, Any] = {
        "clip_id": clip.clip_id,
        "dock_id": clip.dock_id,
        "officer_id": clip.officer_id,
        "integrity": "verified",
        "recorded": clip.recorded,
        "started_at": clip.started_at,
        "triggered_at": clip.triggered_at,
        "stopped_at": clip.stopped_at,
        "trigger": clip.trigger,
        "clock_skew_seconds": clip.skew,
        "standing": standing,
        "unclassified": unclassified,
        "alone": not clip.incidents,
    }
    return ListedClip.model_validate(values | changes)


def facts(kind: type[st.Statement], *payloads: dict[str, Any]) -> list[Fact]:
    return facts_of(kind, list(payloads), PORTLAND)


def classification(**changes: Any) -> Fact:
    values = {"incident_id": "23-1", "force": "none", "in_custody_death": False, "occurred_at": "2026-11-27 22:00"}
    [fact] = facts(st.Classification, values | changes)
    return fact

"""How long a clip is kept: of all that demand a time, the longest. Counted from the recording and not from docking."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from daemon.model.config import Retention
from daemon.model.disposal_report import KeptBy
from daemon.model.statements import Label
from daemon.policy.rules.facts import IncidentFacts


def longest_demand(
    schedule: Retention, trigger: str, incidents: Iterable[IncidentFacts], labels: Iterable[tuple[str, Label]]
) -> KeptBy:
    """What demands that a clip be kept longest. Without end (`days` None) while an incident is unclassified.

    `incidents`: every classification that stands. `labels`: those that stand, with who signed each. A category that is
    no longer in the agency's list keeps as long as the longest that is, and `most_days` at least. Never raises.
    """
    found = _demands(schedule, trigger, incidents, labels)
    return max(found, key=lambda demand: math.inf if demand.days is None else demand.days)


def keep_until(recorded_at: datetime, demand: KeptBy) -> datetime | None:
    """When that time is over; None for without end."""
    return None if demand.days is None else recorded_at + timedelta(days=demand.days)


def _demands(
    schedule: Retention, trigger: str, incidents: Iterable[IncidentFacts], labels: Iterable[tuple[str, Label]]
) -> Iterator[KeptBy]:
    yield KeptBy(kind="default", days=max(schedule.days, schedule.minimum_days))
    if trigger in schedule.by_trigger:
        yield KeptBy(kind="trigger", trigger=trigger, days=schedule.by_trigger[trigger])
    for incident in incidents:
        if incident.force == "unclassified":
            yield KeptBy(kind="unclassified", incident_id=incident.incident_id)
        elif incident.force in schedule.by_force:
            days = schedule.by_force[incident.force]
            yield KeptBy(kind="force", force=incident.force, incident_id=incident.incident_id, days=days)
        if incident.in_custody_death:
            yield KeptBy(kind="death", incident_id=incident.incident_id, days=schedule.in_custody_death_days)
    unlisted = max(schedule.most_days, *schedule.categories.values(), 0.0)
    for signer, label in labels:
        days = schedule.categories.get(label.category, unlisted)
        yield KeptBy(kind="label", by=signer, category=label.category, case_number=label.case_number, days=days)

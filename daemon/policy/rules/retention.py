"""How long a clip is kept: the periods of the retention schedule, counted from the recording and not from docking."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from daemon.model.config import Retention


def keep_until(
    schedule: Retention, recorded_at: datetime, trigger: str, forces: Iterable[str], in_custody_death: bool
) -> datetime:
    """When the longest period that applies to a clip ends. Never raises.

    `forces` are those of all the clip's incidents. If one of them is "unclassified", the clip is never due, and the
    result is the latest time there is.
    """
    days = [schedule.days, schedule.by_trigger.get(trigger, 0.0)]
    for force in forces:
        if force == "unclassified":
            return datetime.max.replace(tzinfo=recorded_at.tzinfo)
        days.append(schedule.by_force.get(force, 0.0))
    if in_custody_death:
        days.append(schedule.in_custody_death_days)
    return recorded_at + timedelta(days=max(days))

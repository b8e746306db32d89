"""How long a clip is kept: pure arithmetic over the schedule, counted from the recording, never from docking."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from daemon.model.config import Retention


def keep_until(
    schedule: Retention, recorded_at: datetime, trigger: str, forces: Iterable[str], in_custody_death: bool
) -> datetime:
    """The longest period that applies. `forces` of every incident of the clip; an unclassified one keeps it open-ended.

    Raises nothing; a clip in an incident that nobody has classified is never due.
    """
    days = [schedule.days, schedule.by_trigger.get(trigger, 0.0)]
    for force in forces:
        if force == "unclassified":
            return datetime.max.replace(tzinfo=recorded_at.tzinfo)
        days.append(schedule.by_force.get(force, 0.0))
    if in_custody_death:
        days.append(schedule.in_custody_death_days)
    return recorded_at + timedelta(days=max(days))

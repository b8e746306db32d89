"""What officers record on duty: nearly every call to which they are sent, and people whom they meet.

Pure: all random numbers come from the `dice` argument.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from device_sim.dispatch.incidents import Incident, UnitCall

_LONGEST_SECONDS = 4 * 3600  # longest recording


@dataclass(frozen=True)
class Draft:
    """A recording that has no camera and no size yet. `seconds` and `pre_event` (a part of it) are in seconds."""

    officer_id: str
    incident_id: str | None
    started_at: datetime
    seconds: float
    pre_event: float
    trigger_on: str
    trigger_off: str

    @property
    def stopped_at(self) -> datetime:
        """The time at which the recording ends."""
        return self.started_at + timedelta(seconds=self.seconds)


def answered(dice: random.Random, incidents: list[Incident]) -> list[Draft]:
    """Recordings for nearly every officer on nearly every call. Those of one officer do not overlap."""
    free: dict[str, datetime] = {}
    drafts = []
    for incident in incidents:
        for unit in incident.units:
            for officer in unit.officers:
                draft = _for_call(dice, incident.incident_id, unit, officer)
                if draft is not None and draft.started_at >= free.get(officer, draft.started_at):
                    drafts.append(draft)
                    free[officer] = draft.stopped_at
    return sorted(drafts, key=lambda draft: (draft.officer_id, draft.started_at))


def _for_call(dice: random.Random, incident_id: str, unit: UnitCall, officer: str) -> Draft | None:
    """Most start on time. Some start late, some stop early, and a few are not made (None)."""
    dispatched, last = unit.statuses[0][1], unit.statuses[-1][1]
    habit = dice.random()
    if habit < 0.03:
        return None
    delay = dice.uniform(90, 600) if habit < 0.11 else dice.uniform(0, 45)
    early = dice.uniform(120, 600) if 0.11 <= habit < 0.16 else -dice.uniform(0, 30)
    triggered = dispatched + timedelta(milliseconds=round(delay * 1000))
    length = max(30.0, (last - triggered).total_seconds() - early)
    seconds = round(min(30 + length, _LONGEST_SECONDS), 3)
    trigger = dice.choice(("dispatch", "dispatch", "button", "light_bar"))
    off = "timeout" if seconds == _LONGEST_SECONDS else "button"
    return Draft(officer, incident_id, triggered - timedelta(seconds=30), seconds, 30, trigger, off)


def meet_the_public(
    dice: random.Random, drafts: list[Draft], officers: list[str], begins: datetime, hours: float, count: int
) -> None:
    """Adds recordings without an incident until there are `count`. Those of one officer do not overlap."""
    busy: dict[str, list[tuple[datetime, datetime]]] = {officer: [] for officer in officers}
    for draft in drafts:
        busy[draft.officer_id].append((draft.started_at, draft.stopped_at))
    latest = begins + timedelta(hours=hours)
    while len(drafts) < count:
        officer = dice.choice(officers)
        at = begins + timedelta(milliseconds=dice.randrange(int(hours * 3_600_000)))
        until = at + timedelta(seconds=dice.randrange(60, 1500))
        if any(at < stopped and started < until for started, stopped in busy[officer]):
            # the officer records at that time: put it after everything else
            at, until = latest, latest + (until - at)
            latest = until
        busy[officer].append((at, until))
        seconds = (until - at).total_seconds()
        drafts.append(Draft(officer, None, at, seconds, 30, dice.choice(("button", "vehicle")), "button"))

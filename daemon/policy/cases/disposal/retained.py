"""How one clip stands by the retention schedule: until when it is kept, and which word demands that."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from daemon.model.disposal_report import KeptBy, ReportedClip
from daemon.model.times import format_instant
from daemon.policy.cases.clip_case import Case
from daemon.policy.context import PolicyContext
from daemon.policy.rules.retention import keep_until, longest_demand
from daemon.policy.store.rows import AnnouncedClipRow


@dataclass(frozen=True)
class Retained:
    """How a clip stands. `until` is None while it is kept without end; `most`: when the longest time allowed is over.

    `held_by`: the ids of the legal holds on it. `asked_by`: who has an open request. `in_court`: a label that stands
    names a court case.
    """

    clip: AnnouncedClipRow
    recorded_at: datetime
    demand: KeptBy
    until: datetime | None
    most: datetime
    held_by: tuple[str, ...]
    asked_by: tuple[str, ...]
    in_court: bool

    def due(self, now: datetime) -> bool:
        """Whether every time that anything demands is over. A hold or a request may keep it all the same."""
        return self.until is not None and self.until <= now

    def overdue(self, now: datetime) -> bool:
        """Whether it is past the longest time that is allowed without a court case."""
        return self.most <= now and not self.in_court

    @property
    def kept_by(self) -> KeptBy:
        """What keeps it: a hold, an open request, or else what demands the longest time."""
        if self.held_by:
            return KeptBy(kind="hold", hold_id=self.held_by[0])
        if self.asked_by:
            return KeptBy(kind="request", by=self.asked_by[0])
        return self.demand

    @property
    def still_wanted(self) -> str | None:
        """In words, the hold or the request that keeps it; None when there is neither."""
        if self.held_by:
            return f"it is held by {', '.join(self.held_by)}"
        return f"{self.asked_by[0]}'s request to view it is open" if self.asked_by else None

    def reported(self) -> ReportedClip:
        """As a report names it."""
        free = not self.held_by and not self.asked_by
        return ReportedClip(
            dock_id=self.clip.dock_id,
            clip_id=self.clip.clip_id,
            clip_sha256=self.clip.clip_sha256,
            recorded_at=self.recorded_at,
            keep_until=self.until if free else None,
            kept_by=self.kept_by,
        )


def assess(context: PolicyContext, case: Case) -> Retained:
    """How the clip of a case stands at the case's moment."""
    schedule, recorded, labels = context.config.retention, case.kept_from, case.testimony.labels()
    demand = longest_demand(
        schedule, case.recorded[1], case.judged_alone(), [(word.signer, word.statement) for word in labels]
    )
    return Retained(
        clip=case.clip,
        recorded_at=recorded,
        demand=demand,
        until=keep_until(recorded, demand),
        most=recorded + timedelta(days=max(schedule.most_days, schedule.minimum_days)),
        held_by=tuple(sorted(case.testimony.holds())),
        asked_by=tuple(sorted({row.person_id for row in context.store.open_requests(case.clip.clip_id)})),
        in_court=any(word.statement.case_number for word in labels),
    )


def old_enough(context: PolicyContext, now: datetime) -> list[AnnouncedClipRow]:
    """The clips that are kept for at least the shortest time there is. No other clip belongs in a report."""
    schedule = context.config.retention
    days = max(min(schedule.days, schedule.most_days), schedule.minimum_days)
    return context.store.clips_recorded_before(format_instant(now - timedelta(days=days)))

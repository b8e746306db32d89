"""Disposal: due by the schedule and reported before, or earlier on two people's word. A hold suspends it, always.

The order stands in this service's log before it leaves; its own wraps are destroyed once the dock has carried it out.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from daemon.model import statements as st
from daemon.model.statements import Because
from daemon.model.times import format_instant, parse_instant
from daemon.policy.cases.case import Case
from daemon.policy.context import Desk
from daemon.policy.rules.retention import keep_until
from daemon.policy.store.rows import ClipRow
from daemon.seal import envelope as envelopes


@dataclass(frozen=True)
class Due:
    """How a clip stands towards disposal: since when it may go, what holds it, who has approved that it goes early."""

    clip_id: str
    dock_id: str
    keep_until: datetime
    held_by: tuple[str, ...]
    approvals: tuple[str, ...]


def assess(desk: Desk, case: Case, now: datetime) -> Due:
    """How a clip stands towards disposal."""
    facts = case.facts("nobody", "court", now)
    recorded, trigger = case.recorded
    incidents = [one.incident for one in facts if one.incident is not None]
    until = keep_until(
        desk.config.retention,
        recorded,
        trigger,
        [incident.force for incident in incidents],
        any(incident.in_custody_death for incident in incidents),
    )
    holds = tuple(sorted({hold.hold_id for one in facts for hold in one.holds}))
    signers = case.disposal_approvals(now)
    approvals = tuple(sorted(signers.values())) if len(signers) >= 2 else ()
    return Due(case.clip.clip_id, case.clip.dock_id, until, holds, approvals)


def report(desk: Desk, now: datetime) -> list[Due]:
    """Every clip that is due, held or not: what would go, before it goes."""
    return [due for clip in _old_enough(desk, now) if (due := assess(desk, Case(desk, clip), now)).keep_until <= now]


def reconsider(desk: Desk, case: Case) -> None:
    """Orders the disposal of a clip that two people have authorized, unless a hold forbids it."""
    clip, due = case.clip, assess(desk, case, desk.now())
    if due.approvals and not due.held_by and not ordered(desk, clip.dock_id, clip.clip_id):
        _order(desk, clip, due, "early disposal, authorized by two people")


def run_schedule(desk: Desk) -> None:
    """Reports what has come due, and orders the disposal of what was reported long enough ago."""
    now, notice = desk.now(), timedelta(days=desk.config.retention.notice_days)
    for clip in _old_enough(desk, now):
        due = assess(desk, Case(desk, clip), now)
        if due.keep_until > now or due.held_by or ordered(desk, clip.dock_id, clip.clip_id):
            continue
        key = f"disposal {clip.dock_id} {clip.clip_id}"
        reported = desk.store.get(key)
        if reported is None:
            desk.store.set(key, format_instant(now))
            detail = {"keep_until": format_instant(due.keep_until)}
            desk.record("disposal_due", clip.clip_id, detail, (clip.seal_sha256,))
        elif desk.config.retention.dispose == "automatic" and now - parse_instant(reported) >= notice:
            _order(desk, clip, due, "the retention period is over, and was reported")


def ordered(desk: Desk, dock_id: str, clip_id: str) -> bool:
    """Whether its disposal was ordered."""
    return desk.store.disposal_ordered(dock_id, clip_id)


def forget(desk: Desk, clip: ClipRow) -> None:
    """The dock has destroyed its part: so do we with every key wrapped for this clip."""
    desk.store.put_clip(clip)
    desk.store.forget(clip.clip_id, clip.dock_id, clip.seal_sha256)
    desk.record("disposed", clip.clip_id, {"dock_id": clip.dock_id}, (clip.seal_sha256,))


def _old_enough(desk: Desk, now: datetime) -> list[ClipRow]:
    """Clips older than the shortest period; only those can be due."""
    return desk.store.recorded_before(format_instant(now - timedelta(days=desk.config.retention.days)))


def _order(desk: Desk, clip: ClipRow, due: Due, reason: str) -> None:
    order = st.Disposal(
        order_id=str(uuid.uuid4()),
        clip_id=clip.clip_id,
        clip_sha256=clip.clip_sha256,
        dock_id=clip.dock_id,
        because=(Because(policy_id="retention", reason=reason),),
        approvals=due.approvals,
        ordered_at=desk.now(),
    )
    envelope = envelopes.sign(order, desk.sign_key)
    desk.store.put_disposal(order.order_id, clip, envelope.to_bytes())
    detail = {"order_id": order.order_id, "reason": reason}
    desk.record("disposal_ordered", clip.clip_id, detail, (envelope.digest, *due.approvals))
    desk.store.post(desk.topics.order(clip.dock_id, clip.clip_id), envelope.to_bytes(), retain=False)

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
from daemon.policy.context import PolicyContext
from daemon.policy.rules.retention import keep_until
from daemon.policy.store.rows import AnnouncedClipRow
from daemon.seal import envelope as envelopes


@dataclass(frozen=True)
class DisposalStatus:
    """How a clip stands towards disposal: since when it may go, what holds it, who has approved that it goes early."""

    clip_id: str
    dock_id: str
    keep_until: datetime
    held_by: tuple[str, ...]
    approvals: tuple[str, ...]


def assess(context: PolicyContext, case: Case, now: datetime) -> DisposalStatus:
    """How a clip stands towards disposal."""
    facts = case.facts("nobody", "court", now)
    recorded, trigger = case.recorded
    incidents = [one.incident for one in facts if one.incident is not None]
    until = keep_until(
        context.config.retention,
        recorded,
        trigger,
        [incident.force for incident in incidents],
        any(incident.in_custody_death for incident in incidents),
    )
    holds = tuple(sorted({hold.hold_id for one in facts for hold in one.holds}))
    signers = case.disposal_approvals(now)
    approvals = tuple(sorted(signers.values())) if len(signers) >= 2 else ()
    return DisposalStatus(case.clip.clip_id, case.clip.dock_id, until, holds, approvals)


def report(context: PolicyContext, now: datetime) -> list[DisposalStatus]:
    """Every clip that is due, held or not: what would go, before it goes."""
    return [
        due
        for clip in _old_enough(context, now)
        if (due := assess(context, Case(context, clip), now)).keep_until <= now
    ]


def reconsider(context: PolicyContext, case: Case) -> None:
    """Orders the disposal of a clip that two people have authorized, unless a hold forbids it."""
    clip, due = case.clip, assess(context, case, context.now())
    if due.approvals and not due.held_by and not ordered(context, clip.dock_id, clip.clip_id):
        _order(context, clip, due, "early disposal, authorized by two people")


def run_schedule(context: PolicyContext) -> None:
    """Reports what has come due, and orders the disposal of what was reported long enough ago."""
    now, notice = context.now(), timedelta(days=context.config.retention.notice_days)
    for clip in _old_enough(context, now):
        due = assess(context, Case(context, clip), now)
        if due.keep_until > now or due.held_by or ordered(context, clip.dock_id, clip.clip_id):
            continue
        key = f"disposal {clip.dock_id} {clip.clip_id}"
        reported = context.store.get(key)
        if reported is None:
            context.store.set(key, format_instant(now))
            detail = {"keep_until": format_instant(due.keep_until)}
            context.record("disposal_due", clip.clip_id, detail, (clip.seal_sha256,))
        elif context.config.retention.dispose == "automatic" and now - parse_instant(reported) >= notice:
            _order(context, clip, due, "the retention period is over, and was reported")


def ordered(context: PolicyContext, dock_id: str, clip_id: str) -> bool:
    """Whether its disposal was ordered."""
    return context.store.disposal_ordered(dock_id, clip_id)


def forget(context: PolicyContext, clip: AnnouncedClipRow) -> None:
    """The dock has destroyed its part: so do we with every key wrapped for this clip."""
    context.store.put_clip(clip)
    context.store.erase_keys(clip.clip_id, clip.dock_id, clip.seal_sha256)
    context.record("disposed", clip.clip_id, {"dock_id": clip.dock_id}, (clip.seal_sha256,))


def _old_enough(context: PolicyContext, now: datetime) -> list[AnnouncedClipRow]:
    """Clips older than the shortest period; only those can be due."""
    return context.store.clips_recorded_before(format_instant(now - timedelta(days=context.config.retention.days)))


def _order(context: PolicyContext, clip: AnnouncedClipRow, due: DisposalStatus, reason: str) -> None:
    order = st.Disposal(
        order_id=str(uuid.uuid4()),
        clip_id=clip.clip_id,
        clip_sha256=clip.clip_sha256,
        dock_id=clip.dock_id,
        because=(Because(policy_id="retention", reason=reason),),
        approvals=due.approvals,
        ordered_at=context.now(),
    )
    envelope = envelopes.sign(order, context.sign_key)
    context.store.put_disposal(order.order_id, clip, envelope.to_bytes())
    detail = {"order_id": order.order_id, "reason": reason}
    context.record("disposal_ordered", clip.clip_id, detail, (envelope.digest, *due.approvals))
    context.store.enqueue(context.topics.order(clip.dock_id, clip.clip_id), envelope.to_bytes(), retain=False)

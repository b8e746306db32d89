"""Disposal of clips: by the retention schedule after a report, or earlier when chief and records authorize it.

A legal hold always suspends it. An order is in the service's custody log before it is published. Our own wrapped keys
are destroyed when the dock has carried the order out.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from daemon.model import statements as st
from daemon.model.custody_actions import CustodyAction
from daemon.model.statements import Because
from daemon.model.times import format_instant, parse_instant
from daemon.policy.cases.clip_case import Case
from daemon.policy.context import PolicyContext
from daemon.policy.rules.retention import keep_until
from daemon.policy.store.rows import AnnouncedClipRow
from daemon.seal import envelope as envelopes


@dataclass(frozen=True)
class DisposalStatus:
    """Whether a clip may be disposed of.

    `keep_until`: when its retention period ends. `held_by`: the ids of the legal holds on it. `approvals`: the digests
    of the authorizations for early disposal; empty unless chief and records, both unconflicted, signed the same one.
    `against_early`: why it is not disposed of before its time, in words; empty when nothing is against it.
    """

    clip_id: str
    dock_id: str
    keep_until: datetime
    held_by: tuple[str, ...]
    approvals: tuple[str, ...]
    against_early: tuple[str, ...] = ()


def assess(context: PolicyContext, case: Case, now: datetime) -> DisposalStatus:
    """The disposal status of a clip at `now`."""
    recorded, trigger = case.recorded
    incidents = case.judged_alone()
    until = keep_until(
        context.config.retention,
        recorded,
        trigger,
        [incident.force for incident in incidents],
        any(incident.in_custody_death for incident in incidents),
    )
    approval = case.disposal_approval()
    return DisposalStatus(
        case.clip.clip_id,
        case.clip.dock_id,
        until,
        tuple(sorted(case.testimony.holds())),
        approval.digests if approval else (),
        tuple(_against_early(context, case, by_court=approval is not None and approval.by_court)),
    )


def _against_early(context: PolicyContext, case: Case, *, by_court: bool) -> Iterator[str]:
    least = case.recorded[0] + timedelta(days=context.config.retention.minimum_days)
    if context.now() < least and not by_court:
        yield f"it has to be kept until {format_instant(least)}, but for a court's order"
    forces = {incident.force for incident in case.judged_alone()}
    if "unclassified" in forces:
        yield "nobody unconflicted has classified it"
    if forces - {"none", "unclassified"} or any(incident.in_custody_death for incident in case.judged_alone()):
        yield "it shows force or a death"
    if context.store.open_requests(case.clip.clip_id):
        yield "somebody's request to view it is open"


def report(context: PolicyContext, now: datetime) -> list[DisposalStatus]:
    """Every clip whose retention period is over, whether or not a legal hold keeps it."""
    assessed = [assess(context, Case(context, clip, now), now) for clip in _old_enough(context, now)]
    return [status for status in assessed if status.keep_until <= now]


def order_if_approved(context: PolicyContext, case: Case) -> None:
    """Orders the early disposal of a clip once chief and records have authorized it for a whole notice period.

    A legal hold, a request, or a word of force in that time stops it, and the period begins anew.
    """
    clip, now = case.clip, context.now()
    key = f"early disposal {clip.dock_id} {clip.clip_id}"
    status = assess(context, case, now)
    if not status.approvals or status.held_by or status.against_early or ordered(context, clip.dock_id, clip.clip_id):
        context.store.unset(key)
        return
    since = context.store.get(key)
    if since is None:
        context.store.set(key, format_instant(now))
        detail = {"early": "authorized by two people", "keep_until": format_instant(status.keep_until)}
        context.record(CustodyAction.DISPOSAL_DUE, clip.clip_id, detail, (clip.seal_sha256, *status.approvals))
    due = (parse_instant(since) if since else now) + timedelta(days=context.config.retention.notice_days)
    if now < due:
        context.store.add_pending([clip.clip_id], format_instant(due))
    else:
        _order(context, clip, status, "early disposal, authorized by chief and records, after its notice period")


def run_schedule(context: PolicyContext) -> None:
    """Records the clips whose retention period is over, and orders the disposal of those recorded long enough ago.

    They are ordered only when `retention.dispose` is automatic, and `retention.notice_days` after they were recorded.
    """
    now, notice = context.now(), timedelta(days=context.config.retention.notice_days)
    for clip in _old_enough(context, now):
        status = assess(context, Case(context, clip, now), now)
        if status.keep_until > now or status.held_by or ordered(context, clip.dock_id, clip.clip_id):
            continue
        key = f"disposal {clip.dock_id} {clip.clip_id}"
        reported = context.store.get(key)
        if reported is None:
            context.store.set(key, format_instant(now))
            detail = {"keep_until": format_instant(status.keep_until)}
            context.record(CustodyAction.DISPOSAL_DUE, clip.clip_id, detail, (clip.seal_sha256,))
        elif context.config.retention.dispose == "automatic" and now - parse_instant(reported) >= notice:
            _order(context, clip, status, "the retention period is over, and was reported")


def ordered(context: PolicyContext, dock_id: str, clip_id: str) -> bool:
    """Whether this dock was ordered to dispose of the clip."""
    return context.store.disposal_ordered(dock_id, clip_id)


def complete(context: PolicyContext, clip: AnnouncedClipRow) -> None:
    """The dock has disposed of the clip: destroys every key that is wrapped for it here."""
    context.store.put_clip(clip)
    context.store.erase_keys(clip.clip_id, clip.dock_id, clip.seal_sha256)
    context.record(CustodyAction.DISPOSED, clip.clip_id, {"dock_id": clip.dock_id}, (clip.seal_sha256,))


def _old_enough(context: PolicyContext, now: datetime) -> list[AnnouncedClipRow]:
    """The clips older than the shortest retention period. No other clip can be due."""
    return context.store.clips_recorded_before(format_instant(now - timedelta(days=context.config.retention.days)))


def _order(context: PolicyContext, clip: AnnouncedClipRow, status: DisposalStatus, reason: str) -> None:
    order = st.Disposal(
        order_id=str(uuid.uuid4()),
        clip_id=clip.clip_id,
        clip_sha256=clip.clip_sha256,
        dock_id=clip.dock_id,
        because=(Because(policy_id="retention", reason=reason),),
        approvals=status.approvals,
        ordered_at=context.now(),
    )
    envelope = envelopes.sign(order, context.sign_key)
    context.store.put_disposal(order.order_id, clip, envelope.to_bytes())
    detail = {"order_id": order.order_id, "reason": reason}
    context.record(CustodyAction.DISPOSAL_ORDERED, clip.clip_id, detail, (envelope.digest, *status.approvals))
    context.store.enqueue(context.topics.order(clip.dock_id, clip.clip_id), envelope.to_bytes(), retain=False)

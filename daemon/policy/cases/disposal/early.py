"""Early disposal: chief and records authorize it for one clip, or for the clips of one incident."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from daemon.model.custody_actions import CustodyAction
from daemon.model.times import format_instant, parse_instant
from daemon.policy.cases.clip_case import Case
from daemon.policy.cases.disposal import clocks, orders
from daemon.policy.cases.disposal.retained import Retained, assess
from daemon.policy.context import PolicyContext

_LOOK_AGAIN = timedelta(hours=1)


def order_if_approved(context: PolicyContext, case: Case) -> None:
    """Orders the early disposal of a clip once chief and records have authorized it for a whole notice period.

    A legal hold, a request, or a word of force in that time stops it, and the period begins anew.
    """
    clip, now = case.clip, context.now()
    key = f"early disposal {clip.dock_id} {clip.clip_id}"
    approval = case.disposal_approval()
    if approval is None or orders.ordered(context, clip.dock_id, clip.clip_id):
        context.store.unset(key)
        return
    standing = assess(context, case)
    if standing.held_by or any(_against(context, case, standing, by_court=approval.court_order is not None)):
        context.store.unset(key)
        return
    since = context.store.get(key)
    if since is None:
        context.store.set(key, format_instant(now))
        until = {"keep_until": format_instant(standing.until)} if standing.until else {}
        detail = {"early": "authorized by two people", **until}
        context.record(CustodyAction.DISPOSAL_DUE, clip.clip_id, detail, (clip.seal_sha256, *approval.digests))
    due = (parse_instant(since) if since else now) + timedelta(days=context.config.retention.notice_days)
    if now >= due and not clocks.agree(context, clip.dock_id):
        due = now + _LOOK_AGAIN
    if now < due:
        context.store.add_pending([clip.clip_id], format_instant(due))
        return
    reason = "early disposal, authorized by chief and records, after its notice period"
    court_order = approval.court_order.sha256 if approval.court_order else None
    orders.order(context, clip, reason, approval.digests, court_order)


def _against(context: PolicyContext, case: Case, standing: Retained, *, by_court: bool) -> Iterator[str]:
    """Why it is not disposed of before its time, in words."""
    least = orders.least(context, standing.recorded_at)
    if context.now() < least and not by_court:
        yield f"it has to be kept until {format_instant(least)}, but for a court's order"
    incidents = case.judged_alone()
    forces = {incident.force for incident in incidents}
    if "unclassified" in forces:
        yield "nobody unconflicted has classified it"
    if forces - {"none", "unclassified"} or any(incident.in_custody_death for incident in incidents):
        yield "it shows force or a death"
    if standing.asked_by:
        yield "somebody's request to view it is open"

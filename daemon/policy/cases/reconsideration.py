"""Reconsidering clips: whenever a fact about a clip changes, everything that was decided about it is decided again."""

from __future__ import annotations

from collections.abc import Iterable

from daemon.model.times import format_instant
from daemon.policy.cases import decisions
from daemon.policy.cases.clip_case import Case
from daemon.policy.cases.disposal.early import order_if_approved
from daemon.policy.cases.standings import publish_standing
from daemon.policy.context import PolicyContext

AT_ONCE = 500
"""How many clips are reconsidered in one transaction."""


def reconsider(context: PolicyContext, clip_id: str) -> None:
    """Decides again on a clip's open requests, live orders, standing and early disposal."""
    for request in context.store.open_requests(clip_id):
        decisions.decide_request(context, request)
    for order in context.store.live_orders(clip_id):
        decisions.review_order(context, order)
    clip = context.store.clip(clip_id)
    if clip is not None and not clip.disposed:
        case = Case(context, clip)
        publish_standing(context, case)
        order_if_approved(context, case)


def reconsider_changed(context: PolicyContext, clip_ids: Iterable[str]) -> None:
    """Reconsiders clips about which something changed. What is too much for one transaction waits in the store."""
    ordered = sorted(clip_ids)
    for clip_id in ordered[:AT_ONCE]:
        reconsider(context, clip_id)
    context.store.add_pending(ordered[AT_ONCE:], format_instant(context.now()))


def reconsider_pending(context: PolicyContext) -> None:
    """Reconsiders the next clips that wait in the store: there were too many, or a fact was dated slightly ahead."""
    for clip_id in context.store.take_pending(format_instant(context.now()), AT_ONCE):
        reconsider(context, clip_id)


def reconsider_overdue(context: PolicyContext) -> None:
    """Reconsiders clips for which the time to give a statement has passed since they were last reconsidered."""
    for clip_id in context.store.newly_overdue(format_instant(context.now())):
        reconsider(context, clip_id)

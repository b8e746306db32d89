"""Disposal orders: given, dated anew while their dock has not carried them out, taken back, completed.

An order is in the service's custody log before it is published. A dock refuses one that was given more than an hour
before it is first heard; so an order that waits is dated anew once a day, unless something has come to keep the clip.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime, timedelta

from daemon.model import statements as st
from daemon.model.custody_actions import CustodyAction
from daemon.model.statements import Because
from daemon.policy.cases.clip_case import Case
from daemon.policy.cases.disposal import clocks
from daemon.policy.cases.disposal.retained import assess
from daemon.policy.context import PolicyContext
from daemon.policy.store.rows import AnnouncedClipRow, IssuedOrderRow
from daemon.seal import envelope as envelopes

_DATED_ANEW = timedelta(days=1)


def order(
    context: PolicyContext,
    clip: AnnouncedClipRow,
    reason: str,
    approvals: tuple[str, ...],
    court_order_sha256: str | None = None,
) -> None:
    """Orders a clip disposed of. `approvals`: digests of the authorizations. `reason`: in words."""
    _give(
        context,
        clip,
        st.Disposal(
            order_id=str(uuid.uuid4()),
            clip_id=clip.clip_id,
            clip_sha256=clip.clip_sha256,
            dock_id=clip.dock_id,
            because=(Because(policy_id="retention", reason=reason),),
            approvals=approvals,
            court_order_sha256=court_order_sha256,
            ordered_at=context.now(),
        ),
    )


def ordered(context: PolicyContext, dock_id: str, clip_id: str) -> bool:
    """Whether this dock is ordered to dispose of the clip."""
    return context.store.disposal_ordered(dock_id, clip_id)


def was_ordered(context: PolicyContext, dock_id: str, clip_id: str) -> bool:
    """Whether it ever was: a dock may have carried out an order before it heard that we took it back."""
    return context.store.disposal_ordered(dock_id, clip_id, taken_back=True)


def complete(context: PolicyContext, clip: AnnouncedClipRow) -> None:
    """The dock has disposed of the clip: destroys every key that is wrapped for it here."""
    context.store.put_clip(clip)
    context.store.erase_keys(clip.clip_id, clip.dock_id, clip.seal_sha256)
    context.record(CustodyAction.DISPOSED, clip.clip_id, {"dock_id": clip.dock_id}, (clip.seal_sha256,))


def date_anew(context: PolicyContext) -> None:
    """Gives every order again that its dock has not carried out for a day, or takes it back."""
    for row in context.store.waiting_disposals():
        given = envelopes.parse(row.envelope, what=f"order {row.order_id}").statement(st.Disposal)
        clip = context.store.clip(row.clip_id, row.dock_id)
        if (
            clip is None
            or abs(context.now() - given.ordered_at) < _DATED_ANEW
            or not clocks.agree(context, row.dock_id)
        ):
            continue
        why = _against(context, Case(context, clip), given)
        if why is not None:
            _take_back(context, row, why)
        else:
            _give(context, clip, given.model_copy(update={"ordered_at": context.now()}))


def _against(context: PolicyContext, case: Case, given: st.Disposal) -> str | None:
    standing = assess(context, case)
    if least(context, standing.recorded_at) > context.now() and given.court_order_sha256 is None:
        return "it has not been kept for the least time"
    return standing.still_wanted


def least(context: PolicyContext, recorded_at: datetime) -> datetime:
    """Until when the law has a clip kept, but for a court's order."""
    return recorded_at + timedelta(days=context.config.retention.minimum_days)


def _give(context: PolicyContext, clip: AnnouncedClipRow, given: st.Disposal) -> None:
    envelope = envelopes.sign(given, context.sign_key)
    context.store.put_disposal(given.order_id, clip, envelope.to_bytes())
    detail = {"order_id": given.order_id, "reason": given.because[0].reason}
    context.record(CustodyAction.DISPOSAL_ORDERED, clip.clip_id, detail, (envelope.digest, *given.approvals))
    context.store.enqueue(context.topics.order(clip.dock_id, clip.clip_id), envelope.to_bytes(), retain=False)


def _take_back(context: PolicyContext, row: IssuedOrderRow, why: str) -> None:
    context.store.put_order(replace(row, state="taken_back", listed=True))
    detail = {"order_id": row.order_id, "reason": why}
    context.record(CustodyAction.DISPOSAL_WITHHELD, row.clip_id, detail, ())

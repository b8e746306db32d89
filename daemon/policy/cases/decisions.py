"""Decisions on requests: made, changed or ended, recorded, and published to the person who asked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal

from daemon.model import statements as st
from daemon.model import strict_json
from daemon.model.custody_actions import CustodyAction
from daemon.model.documents import Decision
from daemon.model.statements import Because
from daemon.model.times import format_instant
from daemon.policy.cases import orders
from daemon.policy.cases.rulings import GroundedRuling, ruling_on
from daemon.policy.context import PolicyContext
from daemon.policy.rules.decide import Ruling
from daemon.policy.rules.facts import Facts
from daemon.policy.store.rows import DecisionRow, IssuedOrderRow, RequestRow
from daemon.seal import envelope as envelopes

_EXPIRED = Ruling("refused", (Because(policy_id="expired", reason="the release order's time is over"),), ())


@dataclass(frozen=True)
class _Reply:
    """What is replied to a request: the outcome, the ruling behind it, and the facts that the ruling was made on."""

    outcome: Literal["released", "refused", "revoked", "expired"]
    ruling: Ruling
    facts: tuple[Facts, ...] = ()

    def document(self) -> dict[str, Any]:
        return self.ruling.document() | {"outcome": self.outcome}


def decide_request(context: PolicyContext, row: RequestRow) -> None:
    """Decides an open request. Publishes the decision if it is new or changed."""
    request = context.store.statement(row.digest, st.Request)
    clip = context.store.clip(row.clip_id)
    grounded = ruling_on(context, clip, row.person_id, request.purpose)
    _watch_ends(context, row.clip_id, grounded)
    if grounded.ruling.released and clip is not None:
        order = orders.issue(context, row, clip, grounded.ruling, grounded.digests)
        reply = _Reply("released", grounded.ruling, grounded.facts)
        _publish(context, replace(row, state="released"), reply, order.to_dict())
    else:
        _publish(context, row, _Reply("refused", grounded.ruling, grounded.facts))


def review_order(context: PolicyContext, order: IssuedOrderRow) -> None:
    """Revokes a live order if its viewer would be refused now, or if it would outlive what it rests on now.

    In the second case another order, as long as that lasts, takes its place.
    """
    request = context.store.statement(order.request, st.Request)
    clip = context.store.clip(order.clip_id, order.dock_id)
    grounded = ruling_on(context, clip, order.person_id, request.purpose)
    _watch_ends(context, order.clip_id, grounded)
    until = grounded.ruling.stands_until
    if grounded.ruling.released and (until is None or order.expires_at <= format_instant(until)):
        return
    orders.revoke(context, order, grounded.ruling.because)
    row = context.store.request(order.request)
    if grounded.ruling.released and row is not None:
        decide_request(context, replace(row, state="open"))
    else:
        _end(context, order, _Reply("revoked", grounded.ruling, grounded.facts))


def _watch_ends(context: PolicyContext, clip_id: str, grounded: GroundedRuling) -> None:
    """Has the clip reconsidered when the next of the facts ends by itself: no order outlives any of them."""
    if grounded.changes_at is not None:
        context.store.add_pending([clip_id], format_instant(grounded.changes_at))


def expire(context: PolicyContext) -> None:
    """Ends orders whose time is over, and closes requests that were refused for too long (`open_request_days`)."""
    now = context.now()
    for order in context.store.expired_orders(format_instant(now)):
        context.store.put_order(replace(order, state="expired", listed=True))
        context.record(CustodyAction.EXPIRED, order.clip_id, {"order_id": order.order_id}, ())
        _end(context, order, _Reply("expired", _EXPIRED))
    oldest = format_instant(now - timedelta(days=context.config.open_request_days))
    for row in context.store.requests_opened_before(oldest):
        context.store.put_request(replace(row, state="closed"))


def republish(context: PolicyContext) -> set[str]:
    """Publishes the decision of every live release again, because the broker may have lost what it retained.

    Returns the clips to reconsider. When they are, the other decisions and the standings are published again as well.
    """
    for order in context.store.live_orders():
        row = context.store.request(order.request)
        if row is not None:
            envelope = envelopes.parse(order.envelope, what=f"order {order.order_id}")
            release = envelope.statement(st.Release)
            decision = Decision(
                request_id=release.request_id,
                clip_id=release.clip_id,
                outcome="released",
                because=release.because,
                decided_at=release.granted_at,
                release=envelope.to_dict(),
            )
            context.publish(context.topics.decision(order.person_id, release.request_id), decision, retain=True)
    return context.store.republish_decisions() | context.store.republish_standings()


def _end(context: PolicyContext, order: IssuedOrderRow, reply: _Reply) -> None:
    """Closes the request of an order that is no longer in force, and tells the viewer."""
    row = context.store.request(order.request)
    if row is not None:
        _publish(context, replace(row, state="closed"), reply)


def _publish(context: PolicyContext, row: RequestRow, reply: _Reply, release: dict[str, Any] | None = None) -> None:
    """Stores the request, and publishes the decision if it is new or changed. `release` is the order's envelope."""
    document = strict_json.dump(reply.document())
    fingerprint = hashlib.sha256(document).hexdigest()
    context.store.put_request(replace(row, answer=fingerprint))
    if row.answer == fingerprint:
        return
    now = context.now()
    if row.answer != f"-{fingerprint}":  # with the hyphen it is on record already, and only published again
        context.metrics.count_decision(reply.outcome)
        _record(context, row, reply, document.decode(), format_instant(now))
    request = context.store.statement(row.digest, st.Request)
    decision = Decision(
        request_id=request.request_id,
        clip_id=row.clip_id,
        outcome=reply.outcome,
        because=reply.ruling.because,
        needs=reply.ruling.needs,
        decided_at=now,
        release=release,
    )
    context.publish(context.topics.decision(row.person_id, request.request_id), decision, retain=True)


def _record(context: PolicyContext, row: RequestRow, reply: _Reply, document: str, at: str) -> None:
    """Puts a decision on record. A refusal is an entry in the custody log too; the others have theirs already."""
    if reply.outcome == "refused":
        detail = {"person_id": row.person_id, "outcome": reply.outcome}
        detail["because"] = ", ".join(because.policy_id for because in reply.ruling.because)[:500]
        context.record(CustodyAction.DECIDED, row.clip_id, detail, (row.digest,))
    if reply.facts:
        record = DecisionRow(
            at=at,
            request=row.digest,
            clip_id=row.clip_id,
            person_id=row.person_id,
            regime=context.regime.name,
            regime_sha256=context.regime.sha256,
            trust_version=context.trust.version,
            facts=strict_json.dump([facts.plain() for facts in reply.facts]).decode(),
            answer=document,
        )
        context.store.add_decision(record)

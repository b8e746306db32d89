"""Deciding requests again whenever a fact changes, and what follows: release orders, revocations, answers.

A release order stands in this service's log before it leaves.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal

from daemon.model import statements as st
from daemon.model import strict_json
from daemon.model.documents import Decision, Need, Standing
from daemon.model.statements import Because
from daemon.model.times import format_instant
from daemon.policy.cases import disposal
from daemon.policy.cases.case import Case
from daemon.policy.context import PolicyContext
from daemon.policy.rules.decide import Ruling, clip_standing, combine, decide
from daemon.policy.rules.facts import Facts
from daemon.policy.store.rows import AnnouncedClipRow, DecisionRow, IssuedOrderRow, RequestRow
from daemon.seal import envelope as envelopes
from daemon.seal.envelope import Envelope
from daemon.seal.keys import keyid
from daemon.seal.wrap import release_key_info, seal_info, unwrap, wrap

_FORCES = ("none", "minimal", "nondeadly", "serious", "deadly", "unclassified")
AT_ONCE = 500
"""How many clips are looked at again in one transaction."""
_QUARANTINE = Ruling(
    "refused",
    (Because(policy_id="quarantine", reason="the clip failed a check and is in quarantine until it is admitted"),),
    (Need(kind="correction", from_="records"),),
)
_UNKNOWN_CLIP = Ruling(
    "refused", (Because(policy_id="unknown-clip", reason="no dock has announced this clip"),), (Need(kind="clip"),)
)
_DISPOSED = Ruling("refused", (Because(policy_id="disposed", reason="the clip was disposed of"),), ())
_EXPIRED = Ruling("refused", (Because(policy_id="expired", reason="the release order's time is over"),), ())
_NO_OPEN_KEY = Ruling(
    "refused", (Because(policy_id="no-open-key", reason="this person has no opening key enrolled"),), ()
)


@dataclass(frozen=True)
class GroundedRuling:
    """What the regime says about a person viewing a clip, on which facts, resting on which attestations."""

    ruling: Ruling
    facts: tuple[Facts, ...] = ()
    digests: frozenset[str] = frozenset()


def ruling_on(
    context: PolicyContext, clip: AnnouncedClipRow | None, person_id: str, purpose: st.Purpose
) -> GroundedRuling:
    """What the regime says now about this person viewing this clip."""
    if clip is None:
        return GroundedRuling(_UNKNOWN_CLIP)
    if clip.disposed:
        return GroundedRuling(_DISPOSED)
    case = Case(context, clip)
    if not case.admitted:
        return GroundedRuling(_QUARANTINE)
    if context.trust.opener("person", person_id, context.now()) is None:
        return GroundedRuling(_NO_OPEN_KEY)
    facts = case.facts(person_id, purpose, context.now())
    answer = combine([decide(context.regime, one) for one in facts])
    return GroundedRuling(answer, tuple(facts), frozenset(case.digests))


def reconsider(context: PolicyContext, clip_id: str) -> None:
    """A fact about this clip changed: open requests, live orders and its standing are looked at again."""
    for request in context.store.open_requests(clip_id):
        answer_request(context, request)
    for order in context.store.live_orders(clip_id):
        _review_order(context, order)
    clip = context.store.clip(clip_id)
    if clip is not None and not clip.disposed:
        case = Case(context, clip)
        _post_standing(context, case)
        disposal.reconsider(context, case)


def answer_request(context: PolicyContext, row: RequestRow) -> None:
    """Decides an open request; publishes the decision when it is new or changed."""
    request = context.store.statement(row.digest, st.Request)
    clip = context.store.clip(row.clip_id)
    grounded = ruling_on(context, clip, row.person_id, request.purpose)
    if grounded.ruling.released and clip is not None:
        order = _issue(context, row, request, clip, grounded)
        reply = _Reply("released", grounded.ruling, grounded.facts)
        _decided(context, replace(row, state="released"), request, reply, order.to_dict())
    else:
        _decided(context, row, request, _Reply("refused", grounded.ruling, grounded.facts), None)


def expire(context: PolicyContext) -> None:
    """Orders whose time is over, and refused requests that nobody needs to keep open."""
    now = context.now()
    for order in context.store.expired_orders(format_instant(now)):
        context.store.put_order(replace(order, state="expired", listed=True))
        context.record("expired", order.clip_id, {"order_id": order.order_id}, ())
        _end(context, order, _Reply("expired", _EXPIRED))
    for row in context.store.requests_opened_before(
        format_instant(now - timedelta(days=context.config.open_request_days))
    ):
        context.store.put_request(replace(row, state="closed"))


def come_due(context: PolicyContext) -> None:
    """Clips about which a statement has come due since they were looked at."""
    for clip_id in context.store.newly_overdue(format_instant(context.now())):
        reconsider(context, clip_id)


def take_up(context: PolicyContext) -> None:
    """The next of the clips that wait to be looked at again: too many at once, or a fact a moment ahead of us."""
    for clip_id in context.store.take_pending(format_instant(context.now()), AT_ONCE):
        reconsider(context, clip_id)


def say_again(context: PolicyContext) -> set[str]:
    """The broker may have lost what it retained: live releases are published again. Returns clips to reconsider, whose
    refusals and standings then are as well.
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
            context.post(context.topics.decision(order.person_id, release.request_id), decision, retain=True)
    return context.store.republish_decisions() | context.store.republish_standings()


def repeat_orders(context: PolicyContext) -> None:
    """Orders are repeated until a notice of the clip lists them."""
    for order in context.store.unlisted_orders():
        context.store.enqueue_once(context.topics.order(order.dock_id, order.clip_id), order.envelope)


def _issue(
    context: PolicyContext, row: RequestRow, request: st.Request, clip: AnnouncedClipRow, grounded: GroundedRuling
) -> Envelope:
    """A release order: the data key, opened with ours, wrapped to the viewer, for this order only."""
    now, answer = context.now(), grounded.ruling
    order_id = str(uuid.uuid4())
    recipient = context.trust.opener("person", row.person_id, now)
    if recipient is None:
        raise AssertionError("a person without an opening key is refused before")
    seal = context.store.statement(clip.seal_sha256, st.Seal)
    wrapped = next(w for w in seal.wrapped_keys if w.recipient == context.open_keyid)
    data_key = unwrap(wrapped, context.open_key, seal_info(seal, context.open_keyid))
    expires_at = now + timedelta(days=context.config.order_days)
    release = st.Release(
        order_id=order_id,
        request_id=request.request_id,
        clip_id=clip.clip_id,
        clip_sha256=clip.clip_sha256,
        dock_id=clip.dock_id,
        person_id=row.person_id,
        roles=tuple(sorted(context.trust.roles(row.person_id))),
        purpose=request.purpose,
        granted_at=now,
        expires_at=min(expires_at, answer.stands_until or expires_at),
        regime=context.regime.name,
        regime_sha256=context.regime.sha256,
        trust_version=context.trust.version,
        because=answer.because,
        facts=tuple(sorted({*grounded.digests, row.digest})),
        wrapped_key=wrap(data_key, recipient, release_key_info(order_id, clip.clip_id, keyid(recipient))),
    )
    envelope = envelopes.sign(release, context.sign_key)
    order = IssuedOrderRow(
        order_id,
        row.digest,
        clip.dock_id,
        clip.clip_id,
        row.person_id,
        format_instant(release.expires_at),
        "live",
        False,
        envelope.to_bytes(),
    )
    context.store.put_order(order)
    detail = {"order_id": order_id, "person_id": row.person_id, "purpose": request.purpose}
    context.record("released", clip.clip_id, detail, (row.digest, envelope.digest))
    context.store.enqueue(context.topics.order(clip.dock_id, clip.clip_id), order.envelope, retain=False)
    return envelope


def _review_order(context: PolicyContext, order: IssuedOrderRow) -> None:
    """A live order that the facts no longer carry is revoked at once."""
    request = context.store.statement(order.request, st.Request)
    clip = context.store.clip(order.clip_id, order.dock_id)
    grounded = ruling_on(context, clip, order.person_id, request.purpose)
    if grounded.ruling.released:
        return
    revoke(context, order, grounded.ruling.because)
    _end(context, order, _Reply("revoked", grounded.ruling, grounded.facts))


def revoke(context: PolicyContext, order: IssuedOrderRow, because: tuple[Because, ...], /, **detail: str) -> None:
    """Takes an order back: recorded (with further `detail`), and on its way to the dock until that shows it."""
    revocation = st.Revocation(
        order_id=order.order_id,
        clip_id=order.clip_id,
        dock_id=order.dock_id,
        revoked_at=context.now(),
        because=because,
    )
    envelope = envelopes.sign(revocation, context.sign_key)
    data = envelope.to_bytes()
    context.store.put_order(replace(order, state="revoked", listed=False, envelope=data))
    context.record("revoked", order.clip_id, {"order_id": order.order_id, **detail}, (envelope.digest,))
    context.store.enqueue(context.topics.order(order.dock_id, order.clip_id), data, retain=False)


@dataclass(frozen=True)
class _Reply:
    """What is answered to a request, and the facts it was decided on."""

    outcome: Literal["released", "refused", "revoked", "expired"]
    ruling: Ruling
    facts: tuple[Facts, ...] = ()

    def document(self) -> dict[str, Any]:
        return self.ruling.document() | {"outcome": self.outcome}


def _end(context: PolicyContext, order: IssuedOrderRow, reply: _Reply) -> None:
    """Tells a request's viewer that the order is no more."""
    row = context.store.request(order.request)
    if row is not None:
        request = context.store.statement(row.digest, st.Request)
        _decided(context, replace(row, state="closed"), request, reply, None)


def _decided(
    context: PolicyContext, row: RequestRow, request: st.Request, reply: _Reply, release: dict[str, Any] | None
) -> None:
    """Records and publishes a decision that is new or changed."""
    answered = strict_json.dump(reply.document())
    fingerprint = hashlib.sha256(answered).hexdigest()
    context.store.put_request(replace(row, answer=fingerprint))
    if row.answer == fingerprint:
        return
    now = context.now()
    if row.answer != f"-{fingerprint}":  # that one is on record, and only said again
        context.metrics.decided(reply.outcome)
        _put_on_record(context, row, reply, answered.decode(), format_instant(now))
    decision = Decision(
        request_id=request.request_id,
        clip_id=row.clip_id,
        outcome=reply.outcome,
        because=reply.ruling.because,
        needs=reply.ruling.needs,
        decided_at=now,
        release=release,
    )
    context.post(context.topics.decision(row.person_id, request.request_id), decision, retain=True)


def _put_on_record(context: PolicyContext, row: RequestRow, reply: _Reply, answered: str, at: str) -> None:
    if reply.outcome == "refused":
        detail = {"person_id": row.person_id, "outcome": reply.outcome}
        detail["because"] = ", ".join(because.policy_id for because in reply.ruling.because)[:500]
        context.record("decided", row.clip_id, detail, (row.digest,))
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
            answer=answered,
        )
        context.store.add_decision(record)


def _post_standing(context: PolicyContext, case: Case) -> None:
    """What the board shows of a clip: its force, what its officers still owe, until when."""
    clip = case.clip
    views = [clip_standing(context.regime, one) for one in case.facts(case.wearer, "report", context.now())]
    due = min((view.due for view in views if view.due), default=None)
    document = Standing(
        clip_id=clip.clip_id,
        incidents=tuple(case.incidents),
        force=max((view.force for view in views), key=_FORCES.index),
        needs=tuple(dict.fromkeys(need for view in views for need in view.needs)),
        due=due,
        overdue=any(view.overdue for view in views),
    )
    data = strict_json.dump(document.plain())
    fingerprint = hashlib.sha256(data).hexdigest()
    if context.store.standing_fingerprint(clip.dock_id, clip.clip_id) != fingerprint:
        until = format_instant(due) if due else None
        context.store.put_standing(clip.dock_id, clip.clip_id, fingerprint, until, document.overdue)
        context.store.enqueue(context.topics.standing(clip.dock_id, clip.clip_id), data, retain=True)

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
from daemon.policy.context import Desk
from daemon.policy.rules.decide import Answer, combine, decide, standing
from daemon.policy.rules.facts import Facts
from daemon.policy.store.rows import ClipRow, DecisionRow, OrderRow, RequestRow
from daemon.seal import envelope as envelopes
from daemon.seal.envelope import Envelope
from daemon.seal.keys import keyid
from daemon.seal.wrap import release_key_info, seal_info, unwrap, wrap

_FORCES = ("none", "minimal", "nondeadly", "serious", "deadly", "unclassified")
AT_ONCE = 500
"""How many clips are looked at again in one transaction."""
_QUARANTINE = Answer(
    "refused",
    (Because(policy_id="quarantine", reason="the clip failed a check and is in quarantine until it is admitted"),),
    (Need(kind="correction", from_="records"),),
)
_UNKNOWN_CLIP = Answer(
    "refused", (Because(policy_id="unknown-clip", reason="no dock has announced this clip"),), (Need(kind="clip"),)
)
_DISPOSED = Answer("refused", (Because(policy_id="disposed", reason="the clip was disposed of"),), ())
_EXPIRED = Answer("refused", (Because(policy_id="expired", reason="the release order's time is over"),), ())
_NO_OPEN_KEY = Answer(
    "refused", (Because(policy_id="no-open-key", reason="this person has no opening key enrolled"),), ()
)


@dataclass(frozen=True)
class Judged:
    """What the regime says about a person viewing a clip, on which facts, resting on which attestations."""

    answer: Answer
    facts: tuple[Facts, ...] = ()
    digests: frozenset[str] = frozenset()


def judge(desk: Desk, clip: ClipRow | None, person_id: str, purpose: st.Purpose) -> Judged:
    """What the regime says now about this person viewing this clip."""
    if clip is None:
        return Judged(_UNKNOWN_CLIP)
    if clip.disposed:
        return Judged(_DISPOSED)
    case = Case(desk, clip)
    if not case.admitted:
        return Judged(_QUARANTINE)
    if desk.trust.opener("person", person_id, desk.now()) is None:
        return Judged(_NO_OPEN_KEY)
    facts = case.facts(person_id, purpose, desk.now())
    answer = combine([decide(desk.regime, one) for one in facts])
    return Judged(answer, tuple(facts), frozenset(case.digests))


def reconsider(desk: Desk, clip_id: str) -> None:
    """A fact about this clip changed: open requests, live orders and its standing are looked at again."""
    for request in desk.store.open_requests(clip_id):
        answer_request(desk, request)
    for order in desk.store.live_orders(clip_id):
        _review_order(desk, order)
    clip = desk.store.clip(clip_id)
    if clip is not None and not clip.disposed:
        case = Case(desk, clip)
        _post_standing(desk, case)
        disposal.reconsider(desk, case)


def answer_request(desk: Desk, row: RequestRow) -> None:
    """Decides an open request; publishes the decision when it is new or changed."""
    request = desk.store.statement(row.digest, st.Request)
    clip = desk.store.clip(row.clip_id)
    judged = judge(desk, clip, row.person_id, request.purpose)
    if judged.answer.released and clip is not None:
        order = _issue(desk, row, request, clip, judged)
        said = _Said("released", judged.answer, judged.facts)
        _decided(desk, replace(row, state="released"), request, said, order.to_dict())
    else:
        _decided(desk, row, request, _Said("refused", judged.answer, judged.facts), None)


def expire(desk: Desk) -> None:
    """Orders whose time is over, and refused requests that nobody needs to keep open."""
    now = desk.now()
    for order in desk.store.run_out(format_instant(now)):
        desk.store.put_order(replace(order, state="expired", listed=True))
        desk.record("expired", order.clip_id, {"order_id": order.order_id}, ())
        _end(desk, order, _Said("expired", _EXPIRED))
    for row in desk.store.stale_requests(format_instant(now - timedelta(days=desk.config.open_request_days))):
        desk.store.put_request(replace(row, state="closed"))


def come_due(desk: Desk) -> None:
    """Clips about which a statement has come due since they were looked at."""
    for clip_id in desk.store.newly_overdue(format_instant(desk.now())):
        reconsider(desk, clip_id)


def take_up(desk: Desk) -> None:
    """The next of the clips that wait to be looked at again: too many at once, or a fact a moment ahead of us."""
    for clip_id in desk.store.take_up(format_instant(desk.now()), AT_ONCE):
        reconsider(desk, clip_id)


def say_again(desk: Desk) -> set[str]:
    """The broker may have lost what it retained: live releases are published again. Returns clips to reconsider, whose
    refusals and standings then are as well.
    """
    for order in desk.store.live_orders():
        row = desk.store.request(order.request)
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
            desk.post(desk.topics.decision(order.person_id, release.request_id), decision, retain=True)
    return desk.store.say_again()


def repeat_orders(desk: Desk) -> None:
    """Orders are repeated until a notice of the clip lists them."""
    for order in desk.store.unlisted_orders():
        desk.store.post_once(desk.topics.order(order.dock_id, order.clip_id), order.envelope)


def _issue(desk: Desk, row: RequestRow, request: st.Request, clip: ClipRow, judged: Judged) -> Envelope:
    """A release order: the data key, opened with ours, wrapped to the viewer, for this order only."""
    now, answer = desk.now(), judged.answer
    order_id = str(uuid.uuid4())
    recipient = desk.trust.opener("person", row.person_id, now)
    if recipient is None:
        raise AssertionError("a person without an opening key is refused before")
    seal = desk.store.statement(clip.seal_sha256, st.Seal)
    wrapped = next(w for w in seal.wrapped_keys if w.recipient == desk.open_keyid)
    data_key = unwrap(wrapped, desk.open_key, seal_info(seal, desk.open_keyid))
    expires_at = now + timedelta(days=desk.config.order_days)
    release = st.Release(
        order_id=order_id,
        request_id=request.request_id,
        clip_id=clip.clip_id,
        clip_sha256=clip.clip_sha256,
        dock_id=clip.dock_id,
        person_id=row.person_id,
        roles=tuple(sorted(desk.trust.roles(row.person_id))),
        purpose=request.purpose,
        granted_at=now,
        expires_at=min(expires_at, answer.stands_until or expires_at),
        regime=desk.regime.name,
        regime_sha256=desk.regime.sha256,
        trust_version=desk.trust.version,
        because=answer.because,
        facts=tuple(sorted({*judged.digests, row.digest})),
        wrapped_key=wrap(data_key, recipient, release_key_info(order_id, clip.clip_id, keyid(recipient))),
    )
    envelope = envelopes.sign(release, desk.sign_key)
    order = OrderRow(
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
    desk.store.put_order(order)
    detail = {"order_id": order_id, "person_id": row.person_id, "purpose": request.purpose}
    desk.record("released", clip.clip_id, detail, (row.digest, envelope.digest))
    desk.store.post(desk.topics.order(clip.dock_id, clip.clip_id), order.envelope, retain=False)
    return envelope


def _review_order(desk: Desk, order: OrderRow) -> None:
    """A live order that the facts no longer carry is revoked at once."""
    request = desk.store.statement(order.request, st.Request)
    clip = desk.store.clip(order.clip_id, order.dock_id)
    judged = judge(desk, clip, order.person_id, request.purpose)
    if judged.answer.released:
        return
    revoke(desk, order, judged.answer.because)
    _end(desk, order, _Said("revoked", judged.answer, judged.facts))


def revoke(desk: Desk, order: OrderRow, because: tuple[Because, ...], /, **detail: str) -> None:
    """Takes an order back: recorded (with further `detail`), and on its way to the dock until that shows it."""
    revocation = st.Revocation(
        order_id=order.order_id,
        clip_id=order.clip_id,
        dock_id=order.dock_id,
        revoked_at=desk.now(),
        because=because,
    )
    envelope = envelopes.sign(revocation, desk.sign_key)
    data = envelope.to_bytes()
    desk.store.put_order(replace(order, state="revoked", listed=False, envelope=data))
    desk.record("revoked", order.clip_id, {"order_id": order.order_id, **detail}, (envelope.digest,))
    desk.store.post(desk.topics.order(order.dock_id, order.clip_id), data, retain=False)


@dataclass(frozen=True)
class _Said:
    """What is answered to a request, and the facts it was decided on."""

    outcome: Literal["released", "refused", "revoked", "expired"]
    answer: Answer
    facts: tuple[Facts, ...] = ()

    def document(self) -> dict[str, Any]:
        return self.answer.document() | {"outcome": self.outcome}


def _end(desk: Desk, order: OrderRow, said: _Said) -> None:
    """Tells a request's viewer that the order is no more."""
    row = desk.store.request(order.request)
    if row is not None:
        request = desk.store.statement(row.digest, st.Request)
        _decided(desk, replace(row, state="closed"), request, said, None)


def _decided(desk: Desk, row: RequestRow, request: st.Request, said: _Said, release: dict[str, Any] | None) -> None:
    """Records and publishes a decision that is new or changed."""
    answered = strict_json.dump(said.document())
    fingerprint = hashlib.sha256(answered).hexdigest()
    desk.store.put_request(replace(row, answer=fingerprint))
    if row.answer == fingerprint:
        return
    now = desk.now()
    if row.answer != f"-{fingerprint}":  # that one is on record, and only said again
        desk.metrics.decided(said.outcome)
        _put_on_record(desk, row, said, answered.decode(), format_instant(now))
    decision = Decision(
        request_id=request.request_id,
        clip_id=row.clip_id,
        outcome=said.outcome,
        because=said.answer.because,
        needs=said.answer.needs,
        decided_at=now,
        release=release,
    )
    desk.post(desk.topics.decision(row.person_id, request.request_id), decision, retain=True)


def _put_on_record(desk: Desk, row: RequestRow, said: _Said, answered: str, at: str) -> None:
    if said.outcome == "refused":
        detail = {"person_id": row.person_id, "outcome": said.outcome}
        detail["because"] = ", ".join(because.policy_id for because in said.answer.because)[:500]
        desk.record("decided", row.clip_id, detail, (row.digest,))
    if said.facts:
        record = DecisionRow(
            at=at,
            request=row.digest,
            clip_id=row.clip_id,
            person_id=row.person_id,
            regime=desk.regime.name,
            regime_sha256=desk.regime.sha256,
            trust_version=desk.trust.version,
            facts=strict_json.dump([facts.plain() for facts in said.facts]).decode(),
            answer=answered,
        )
        desk.store.add_decision(record)


def _post_standing(desk: Desk, case: Case) -> None:
    """What the board shows of a clip: its force, what its officers still owe, until when."""
    clip = case.clip
    views = [standing(desk.regime, one) for one in case.facts(case.wearer, "report", desk.now())]
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
    if desk.store.standing_fingerprint(clip.dock_id, clip.clip_id) != fingerprint:
        until = format_instant(due) if due else None
        desk.store.put_standing(clip.dock_id, clip.clip_id, fingerprint, until, document.overdue)
        desk.store.post(desk.topics.standing(clip.dock_id, clip.clip_id), data, retain=True)

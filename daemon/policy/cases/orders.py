"""Release orders: issued, revoked, and published again until the clip's notice shows them.

An order is in the service's custody log before it is published.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta

from daemon.model import statements as st
from daemon.model.custody_actions import CustodyAction
from daemon.model.statements import Because
from daemon.model.times import format_instant
from daemon.policy.context import PolicyContext
from daemon.policy.rules.decide import Ruling
from daemon.policy.store.rows import AnnouncedClipRow, IssuedOrderRow, RequestRow
from daemon.seal import envelope as envelopes
from daemon.seal.envelope import Envelope
from daemon.seal.keys import keyid
from daemon.seal.wrap import release_key_info, seal_info, unwrap, wrap


def issue(
    context: PolicyContext, row: RequestRow, clip: AnnouncedClipRow, ruling: Ruling, digests: frozenset[str]
) -> Envelope:
    """Issues a release order for a request that was ruled released, and returns it.

    The clip's data key is opened with our escrow key and wrapped to the viewer, for this order only. `digests` are
    those of the attestations that the ruling rests on. Raises AssertionError for a viewer without an opening key.
    """
    now = context.now()
    request = context.store.statement(row.digest, st.Request)
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
        expires_at=min(expires_at, ruling.stands_until or expires_at),
        regime=context.regime.name,
        regime_sha256=context.regime.sha256,
        trust_version=context.trust.version,
        because=ruling.because,
        facts=tuple(sorted({*digests, row.digest})),
        wrapped_key=wrap(data_key, recipient, release_key_info(order_id, clip.clip_id, keyid(recipient))),
    )
    envelope = envelopes.sign(release, context.sign_key)
    data = envelope.to_bytes()
    context.store.put_order(
        IssuedOrderRow(
            order_id,
            row.digest,
            clip.dock_id,
            clip.clip_id,
            row.person_id,
            format_instant(release.expires_at),
            "live",
            listed=False,
            envelope=data,
        )
    )
    detail = {"order_id": order_id, "person_id": row.person_id, "purpose": request.purpose}
    context.record(CustodyAction.RELEASED, clip.clip_id, detail, (row.digest, envelope.digest))
    context.store.enqueue(context.topics.order(clip.dock_id, clip.clip_id), data, retain=False)
    return envelope


def revoke(context: PolicyContext, order: IssuedOrderRow, because: tuple[Because, ...], /, **detail: str) -> None:
    """Revokes an order. `detail` is added to the entry in the custody log.

    The revocation is published now, and again until the clip's notice shows it.
    """
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
    context.record(CustodyAction.REVOKED, order.clip_id, {"order_id": order.order_id, **detail}, (envelope.digest,))
    context.store.enqueue(context.topics.order(order.dock_id, order.clip_id), data, retain=False)


def repeat(context: PolicyContext) -> None:
    """Publishes every order again that no notice of its clip shows yet, unless it waits in the outbox."""
    for order in context.store.unlisted_orders():
        context.store.enqueue_once(context.topics.order(order.dock_id, order.clip_id), order.envelope)

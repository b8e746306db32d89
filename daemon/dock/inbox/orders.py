"""Release orders and revocations: verified, recorded, and only then shown in the lock."""

from __future__ import annotations

import logging
from dataclasses import replace

from daemon.core import lock_rule
from daemon.core.lifecycle import LifecycleEvent, State, advance
from daemon.custody.log import NewEntry
from daemon.dock import lock_state
from daemon.dock.context import Transaction
from daemon.dock.inbox import disposal
from daemon.dock.store.rows import HeldClip, HonouredOrder
from daemon.model import statements as st
from daemon.model.custody_actions import CustodyAction
from daemon.model.errors import InconsistentError, MalformedError, ReplayedError, VerificationError
from daemon.model.times import format_instant
from daemon.seal import envelope as envelopes
from daemon.seal.envelope import Envelope
from daemon.seal.verify import verify
from daemon.vault import durable
from daemon.vault.space import DiskFullError, room

log = logging.getLogger(__name__)


def receive(tx: Transaction, data: bytes, topic_clip: str) -> None:
    """One message on this dock's order topic. What fails is refused, recorded, and changes nothing."""
    envelope: Envelope | None = None
    try:
        envelope = envelopes.parse(data, what="order")
        if tx.store.seen(envelope.digest):
            return  # repeated until our notice lists it; nothing new
        _apply(tx, envelope, topic_clip)
    except VerificationError as error:
        _refuse(tx, envelope, topic_clip, error)
    except DiskFullError as error:  # not refused: it is repeated until our notice lists it
        log.warning("an order for clip %s waits: %s", topic_clip, error, extra={"clip_id": topic_clip})


def _apply(tx: Transaction, envelope: Envelope, topic_clip: str) -> None:
    match envelope.kind:
        case "release":
            _release(tx, envelope, topic_clip)
        case "revocation":
            _revoke(tx, envelope, topic_clip)
        case "disposal":
            order = disposal.verified(tx, envelope)
            disposal.carry_out(tx, envelope, order, _agreed_clip(tx, order, topic_clip))
        case other:
            raise MalformedError(f"order: a {other} is no order this dock carries out")


def _release(tx: Transaction, envelope: Envelope, topic_clip: str) -> None:
    reading = tx.reading()
    release = verify(envelope, st.Release, tx.trust, at=reading.now).statement
    clip = _agreed_clip(tx, release, topic_clip)
    if clip.clip_sha256 != release.clip_sha256:
        raise InconsistentError(f"the order names other footage than clip {clip.clip_id} holds")
    if release.expires_at <= reading.now:
        raise InconsistentError(f"the order expired at {format_instant(release.expires_at)}")
    if not reading.trusted:
        raise InconsistentError("the dock's clock reads earlier than a time already recorded; no order can be honoured")
    known = tx.store.order(release.order_id)
    if known is not None:
        raise ReplayedError(f"order {release.order_id} is {known.state} already")
    state = advance(clip.state, LifecycleEvent.RELEASE)
    _keep(tx, envelope, release.clip_id, release.order_id, "release")
    tx.store.put_order(
        HonouredOrder(
            release.order_id,
            clip.clip_id,
            release.person_id,
            release.purpose,
            format_instant(release.expires_at),
            lock_rule.deadline(release.expires_at, reading),
            tx.dock.clock.boot_id(),
            (release.expires_at - reading.now).total_seconds(),
            "live",
        )
    )
    tx.store.remember(envelope.digest, format_instant(reading.now))
    detail = {"order_id": release.order_id, "person_id": release.person_id, "purpose": release.purpose}
    detail["expires_at"] = format_instant(release.expires_at)
    tx.record(NewEntry(CustodyAction.RELEASED, clip.clip_id, detail, (envelope.digest,)))
    tx.announce(clip.clip_id, state)


def _revoke(tx: Transaction, envelope: Envelope, topic_clip: str) -> None:
    revocation = verify(envelope, st.Revocation, tx.trust, at=tx.now()).statement
    clip = _agreed_clip(tx, revocation, topic_clip)
    known = tx.store.order(revocation.order_id)
    if known is not None and known.clip_id != clip.clip_id:
        raise InconsistentError(f"order {revocation.order_id} is about another clip")
    if known is None:  # it may overtake the release: remembered, so that the release is never accepted
        now = format_instant(tx.now())
        known = HonouredOrder(revocation.order_id, clip.clip_id, "unknown", "report", now, 0.0, "", 0.0, "revoked")
    _keep(tx, envelope, revocation.clip_id, revocation.order_id, "revocation")
    tx.store.put_order(replace(known, state="revoked"))
    tx.store.remember(envelope.digest, format_instant(tx.now()))
    tx.record(NewEntry(CustodyAction.REVOKED, clip.clip_id, {"order_id": revocation.order_id}, (envelope.digest,)))
    lock_state.relock(tx, clip)


def _agreed_clip(tx: Transaction, order: st.Release | st.Revocation | st.Disposal, topic_clip: str) -> HeldClip:
    if order.dock_id != tx.dock.dock_id:
        raise InconsistentError(f"the order is for dock {order.dock_id}, this is {tx.dock.dock_id}")
    if order.clip_id != topic_clip:
        raise InconsistentError(f"the order names clip {order.clip_id}, its topic {topic_clip}")
    clip = tx.store.clip(order.clip_id)
    if clip is None:
        raise InconsistentError(f"clip {order.clip_id} is not on this dock")
    if clip.state == State.DISPOSED:
        raise InconsistentError(f"clip {order.clip_id} was disposed of")
    return clip


def _keep(tx: Transaction, envelope: Envelope, clip_id: str, order_id: str, kind: str) -> None:
    """The order beside its clip, durable before the lock shows it."""
    clip = tx.dock.clip_directory(clip_id)
    path = clip.release(order_id) if kind == "release" else clip.revocation(order_id)
    with room(path):
        durable.make_directories(path.parent)
        durable.write_replacing(path, envelope.to_bytes())


def _refuse(tx: Transaction, envelope: Envelope | None, topic_clip: str, error: VerificationError) -> None:
    digest = (envelope.digest,) if envelope else ()
    clip = tx.store.clip(topic_clip)
    kind, reason = type(error).__name__, str(error)
    tx.refuse(
        "disposal" if envelope is not None and envelope.kind == st.Disposal.kind else "order",
        kind,
        reason,
        repeat=f"{topic_clip} {digest} {kind}",  # orders are repeated; one record of each refusal is enough
        clip_id=clip.clip_id if clip else None,
        attestations=digest,
        detail={"what": "order", "error": kind, "reason": reason[:500]},
        fields={"clip_id": topic_clip},
    )

"""Release orders and revocations: verified, recorded, and only then shown in the lock."""

from __future__ import annotations

import logging
from dataclasses import replace

from daemon.core import lock
from daemon.core.lifecycle import Event as Move
from daemon.core.lifecycle import State, advance
from daemon.core.lock import LockView
from daemon.custody.log import Event
from daemon.dock.context import Dock
from daemon.dock.inbox import disposal
from daemon.dock.store.store import ClipRow, OrderRow
from daemon.model import statements as st
from daemon.model.errors import BwcError, InconsistentError, MalformedError, ReplayedError, VerificationError
from daemon.model.times import format_instant, parse_instant
from daemon.seal import envelope as envelopes
from daemon.seal.envelope import Envelope
from daemon.seal.verify import verify
from daemon.vault import durable
from daemon.vault.space import DiskFullError, room

log = logging.getLogger(__name__)


def receive(dock: Dock, data: bytes, topic_clip: str) -> None:
    """One message on this dock's order topic. What fails is refused, recorded, and changes nothing."""
    envelope: Envelope | None = None
    try:
        envelope = envelopes.parse(data, what="order")
        if dock.store.seen(envelope.digest):
            return  # repeated until our notice lists it; nothing new
        _apply(dock, envelope, topic_clip)
    except VerificationError as error:
        _refuse(dock, envelope, topic_clip, error)
    except DiskFullError as error:  # not refused: it is repeated until our notice lists it
        log.warning("an order for clip %s waits: %s", topic_clip, error, extra={"clip_id": topic_clip})


def _apply(dock: Dock, envelope: Envelope, topic_clip: str) -> None:
    match envelope.kind:
        case "release":
            _release(dock, envelope, topic_clip)
        case "revocation":
            _revoke(dock, envelope, topic_clip)
        case "disposal":
            order = verify(envelope, st.Disposal, dock.trust, at=dock.now()).statement
            disposal.carry_out(dock, envelope, order, _agreed_clip(dock, order, topic_clip))
        case other:
            raise MalformedError(f"order: a {other} is no order this dock carries out")


def _release(dock: Dock, envelope: Envelope, topic_clip: str) -> None:
    reading = dock.reading()
    release = verify(envelope, st.Release, dock.trust, at=reading.now).statement
    clip = _agreed_clip(dock, release, topic_clip)
    if clip.clip_sha256 != release.clip_sha256:
        raise InconsistentError(f"the order names other footage than clip {clip.clip_id} holds")
    if release.expires_at <= reading.now:
        raise InconsistentError(f"the order expired at {format_instant(release.expires_at)}")
    if not reading.trusted:
        raise InconsistentError("the dock's clock reads earlier than a time already recorded; no order can be honoured")
    known = dock.store.order(release.order_id)
    if known is not None:
        raise ReplayedError(f"order {release.order_id} is {known.state} already")
    state = advance(clip.state, Move.RELEASE)
    _keep(dock, envelope, release.clip_id, release.order_id, "release")
    dock.store.put_order(
        OrderRow(
            release.order_id,
            clip.clip_id,
            release.person_id,
            release.purpose,
            format_instant(release.expires_at),
            lock.deadline(release.expires_at, reading),
            dock.clock.boot_id(),
            (release.expires_at - reading.now).total_seconds(),
            "live",
        )
    )
    dock.store.remember(envelope.digest, format_instant(reading.now))
    detail = {"order_id": release.order_id, "person_id": release.person_id, "purpose": release.purpose}
    detail["expires_at"] = format_instant(release.expires_at)
    dock.record(Event("released", clip.clip_id, detail, (envelope.digest,)))
    dock.store.move(clip.clip_id, state, dock.store.next_sequence())


def _revoke(dock: Dock, envelope: Envelope, topic_clip: str) -> None:
    revocation = verify(envelope, st.Revocation, dock.trust, at=dock.now()).statement
    clip = _agreed_clip(dock, revocation, topic_clip)
    known = dock.store.order(revocation.order_id)
    if known is not None and known.clip_id != clip.clip_id:
        raise InconsistentError(f"order {revocation.order_id} is about another clip")
    if known is None:  # it may overtake the release: remembered, so that the release is never accepted
        now = format_instant(dock.now())
        known = OrderRow(revocation.order_id, clip.clip_id, "unknown", "report", now, 0.0, "", 0.0, "revoked")
    _keep(dock, envelope, revocation.clip_id, revocation.order_id, "revocation")
    dock.store.put_order(replace(known, state="revoked"))
    dock.store.remember(envelope.digest, format_instant(dock.now()))
    dock.record(Event("revoked", clip.clip_id, {"order_id": revocation.order_id}, (envelope.digest,)))
    relock(dock, clip)


def relock(dock: Dock, clip: ClipRow) -> None:
    """Brings the clip's state in line with its orders, and announces it."""
    view = view_of(dock, clip)
    state = clip.state
    if clip.state == State.RELEASED and view.state == "locked":
        state = advance(clip.state, Move.LOCK)
    dock.store.move(clip.clip_id, state, dock.store.next_sequence())


def expire(dock: Dock) -> None:
    """Locks again what has run out. Nobody needs to ask."""
    reading = dock.reading()
    for order in dock.store.run_out(format_instant(reading.now), reading.boot):
        dock.store.put_order(replace(order, state="expired", remaining=0.0))
        dock.record(Event("expired", order.clip_id, {"order_id": order.order_id}))
        clip = dock.store.clip(order.clip_id)
        if clip is not None:
            relock(dock, clip)


def view_of(dock: Dock, clip: ClipRow) -> LockView:
    """Whether the clip is locked or released just now, and why."""
    orders = [_order(row) for row in dock.store.orders(clip.clip_id)]
    return lock.lock_of(orders, dock.reading(), quarantined=clip.state == State.QUARANTINED)


def rebase(dock: Dock) -> None:
    """After a reboot the boot clock began anew: live orders go on with what they had left."""
    boot_id, reading = dock.clock.boot_id(), dock.reading()
    for row in dock.store.live_orders():
        if row.boot_id != boot_id:
            end = lock.deadline(parse_instant(row.expires_at), reading, row.remaining)
            dock.store.put_order(replace(row, boot_id=boot_id, deadline=end))


def _order(row: OrderRow) -> lock.Order:
    return lock.Order(
        row.order_id,
        row.person_id,
        row.purpose,
        parse_instant(row.expires_at),
        row.deadline,
        revoked=row.state == "revoked",
        expired=row.state == "expired",
    )


def _agreed_clip(dock: Dock, order: st.Release | st.Revocation | st.Disposal, topic_clip: str) -> ClipRow:
    if order.dock_id != dock.dock_id:
        raise InconsistentError(f"the order is for dock {order.dock_id}, this is {dock.dock_id}")
    if order.clip_id != topic_clip:
        raise InconsistentError(f"the order names clip {order.clip_id}, its topic {topic_clip}")
    clip = dock.store.clip(order.clip_id)
    if clip is None:
        raise InconsistentError(f"clip {order.clip_id} is not on this dock")
    if clip.state == State.DISPOSED:
        raise InconsistentError(f"clip {order.clip_id} was disposed of")
    return clip


def _keep(dock: Dock, envelope: Envelope, clip_id: str, order_id: str, kind: str) -> None:
    """The order beside its clip, durable before the lock shows it."""
    clip = dock.vault.find(clip_id)
    if clip is None:
        raise BwcError(f"clip {clip_id} is in the store but not in the vault")
    path = clip.release(order_id) if kind == "release" else clip.revocation(order_id)
    with room(path):
        durable.make_directories(path.parent)
        durable.write_replacing(path, envelope.to_bytes())


def _refuse(dock: Dock, envelope: Envelope | None, topic_clip: str, error: VerificationError) -> None:
    digest = (envelope.digest,) if envelope else ()
    if not dock.first_refusal(f"{topic_clip} {digest} {type(error).__name__}"):
        return  # orders are repeated; one record of each refusal is enough
    clip = dock.store.clip(topic_clip)
    detail = {"what": "order", "error": type(error).__name__, "reason": str(error)[:500]}
    dock.record(Event("refused", clip.clip_id if clip else None, detail, digest))
    dock.metrics.refused("order", type(error).__name__)
    log.warning("refused an order for clip %s: %s", topic_clip, error, extra={"clip_id": topic_clip})

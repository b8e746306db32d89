"""Lock state: whether a clip is locked or released just now, and bringing what the store says in line with it."""

from __future__ import annotations

from dataclasses import replace

from daemon.core import lock_rule
from daemon.core.lifecycle import LifecycleEvent, State, advance
from daemon.core.lock_rule import LockView, Reading
from daemon.custody.log import NewEntry
from daemon.dock.context import DockContext, Transaction
from daemon.dock.store.rows import HeldClip, HonouredOrder
from daemon.model.custody_actions import CustodyAction
from daemon.model.times import format_instant, parse_instant


def view_of(dock: DockContext, clip: HeldClip, reading: Reading) -> LockView:
    """Whether the clip is locked or released at this reading of the clocks, and why."""
    orders = [_order(row) for row in dock.store.orders(clip.clip_id)]
    return lock_rule.lock_of(orders, reading, quarantined=clip.state == State.QUARANTINED)


def relock(tx: Transaction, clip: HeldClip) -> None:
    """Brings the clip's state in line with its orders, and announces it."""
    view = view_of(tx.dock, clip, tx.reading())
    state = clip.state
    if clip.state == State.RELEASED and view.state == "locked":
        state = advance(clip.state, LifecycleEvent.LOCK)
    tx.announce(clip.clip_id, state)


def expire(tx: Transaction) -> None:
    """Locks again what has run out. Nobody needs to ask."""
    reading = tx.reading()
    for order in tx.store.run_out(format_instant(reading.now), reading.boot):
        tx.store.put_order(replace(order, state="expired", remaining=0.0))
        tx.record(NewEntry(CustodyAction.EXPIRED, order.clip_id, {"order_id": order.order_id}))
        clip = tx.store.clip(order.clip_id)
        if clip is not None:
            relock(tx, clip)


def rebase(tx: Transaction) -> None:
    """After a reboot the boot clock starts at 0 again: live orders keep the time that they had left."""
    boot_id, reading = tx.dock.clock.boot_id(), tx.reading()
    for row in tx.store.live_orders():
        if row.boot_id != boot_id:
            end = lock_rule.deadline(parse_instant(row.expires_at), reading, row.remaining)
            tx.store.put_order(replace(row, boot_id=boot_id, deadline=end))


def _order(row: HonouredOrder) -> lock_rule.Order:
    return lock_rule.Order(
        row.order_id,
        row.person_id,
        row.purpose,
        parse_instant(row.expires_at),
        row.deadline,
        revoked=row.state == "revoked",
        expired=row.state == "expired",
    )

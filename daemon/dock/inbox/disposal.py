"""Disposal, only on the policy service's signed order: sealed file and wrapped keys go, custody keeps the fact.

The dock checks with its own clock as well. An order whose date is more than an hour away from it when it is first heard
is never carried out. (The policy service dates an order that waits anew each day.) Footage younger than the least time
goes only on a court's order.

It is recorded first, and destroyed after the commit. What a crash interrupts is finished at the next start.
"""

from __future__ import annotations

import logging
import shutil
from datetime import timedelta

from daemon.core.lifecycle import LifecycleEvent, advance
from daemon.custody.log import NewEntry
from daemon.dock.context import DockContext, Transaction
from daemon.dock.store.rows import HeldClip
from daemon.model.custody_actions import CustodyAction
from daemon.model.errors import InconsistentError
from daemon.model.statements import Disposal
from daemon.model.times import format_instant, parse_instant, put_right
from daemon.seal.envelope import Envelope
from daemon.seal.verify import verify
from daemon.vault import durable

log = logging.getLogger(__name__)
_AGREE = timedelta(hours=1)
"""How far the policy service's clock and this one may differ."""


def verified(tx: Transaction, envelope: Envelope) -> Disposal:
    """The order in an envelope, given within an hour of now by this dock's clock.

    Raises a step's error as `verify` does; InconsistentError for an order of another time. That one is remembered, so
    that it is refused also when the clocks agree later.
    """
    now = tx.now()
    try:
        order = verify(envelope, Disposal, tx.trust, at=now).statement
    except InconsistentError:  # the signature holds; its time is in the future
        order = envelope.statement(Disposal)
        _check_clocks(tx, envelope, order)
        raise
    _check_clocks(tx, envelope, order)
    return order


def _check_clocks(tx: Transaction, envelope: Envelope, order: Disposal) -> None:
    reading = tx.reading()
    if not reading.trusted:
        raise InconsistentError("the dock's clock reads earlier than a time already recorded; nothing is disposed of")
    if abs(reading.now - order.ordered_at) > _AGREE:
        tx.store.remember(envelope.digest, format_instant(reading.now))
        ordered, here = format_instant(order.ordered_at), format_instant(reading.now)
        raise InconsistentError(f"the clocks differ: the disposal was ordered at {ordered}, and here it is {here}")


def _check_age(tx: Transaction, order: Disposal, clip: HeldClip) -> None:
    """Raises InconsistentError for footage younger than the least time by this dock's clock."""
    ended = parse_instant(clip.ingested_at)
    if clip.stopped_at is not None:
        ended = put_right(parse_instant(clip.stopped_at), clip.skew)
    until = ended + timedelta(days=tx.dock.config.disposal.minimum_days)
    if tx.now() < until and order.court_order_sha256 is None:
        raise InconsistentError(f"clip {clip.clip_id} has to be kept until {format_instant(until)}, by this clock")


def carry_out(tx: Transaction, envelope: Envelope, order: Disposal, clip: HeldClip) -> None:
    """Records the disposal of a clip; `destroy_recorded` follows once that is durable.

    Raises InconsistentError for an order about other footage, or about footage that is too young.
    """
    if order.clip_sha256 != clip.clip_sha256:
        raise InconsistentError(f"the order names other footage than clip {clip.clip_id} holds")
    _check_age(tx, order, clip)
    state = advance(clip.state, LifecycleEvent.DISPOSE)
    tx.store.remember(envelope.digest, format_instant(tx.now()))
    detail = {"order_id": order.order_id, "clip_sha256": clip.clip_sha256}
    tx.record(NewEntry(CustodyAction.DISPOSED, clip.clip_id, detail, (envelope.digest, *order.approvals)))
    tx.announce(clip.clip_id, state)
    tx.store.to_destroy(clip.clip_id)
    tx.after_commit(lambda: destroy_recorded(tx.dock))


def destroy_recorded(dock: DockContext) -> None:
    """Destroys what is recorded as disposed of: the whole directory, out of its place first."""
    for clip_id in dock.store.destroying():
        found = dock.vault.find(clip_id)
        doomed = dock.vault.incoming / f"{clip_id}.disposed"
        if found is not None:
            durable.rename(found.path, doomed)
        if doomed.exists():
            shutil.rmtree(doomed)
            durable.fsync_directory(dock.vault.incoming)
        dock.store.destroyed(clip_id)
        log.info("disposed of clip %s", clip_id, extra={"clip_id": clip_id})

"""Taking in dispatch documents: kept at once, worked out many together, and the clips that they touch tagged anew."""

from __future__ import annotations

import logging
from datetime import timedelta

from daemon.core.windows import LONGEST_CALL
from daemon.dock.context import Transaction
from daemon.dock.dispatch import tags
from daemon.dock.store.meta import MetaKey
from daemon.model.errors import VerificationError
from daemon.model.times import format_instant

log = logging.getLogger(__name__)


def receive(tx: Transaction, data: bytes, source: str) -> None:
    """Keeps a dispatch document from the broker or the watched folder.

    What cannot be used is set aside: parts of it, or the whole.

    What it changes, `apply_pending` works out.
    """
    if not data:
        return
    now, source = tx.now(), ascii(source)[1:-1]  # a file's or a topic's name, chosen by a stranger
    try:
        parts = tx.dock.dispatch.add(data, now, source)
    except VerificationError as error:
        if tx.dock.dispatch.set_aside(data, source, now, str(error)):
            log.warning("set aside a dispatch document from %s: %s", source, error)
            tx.dock.metrics.refused("dispatch", type(error).__name__)
    else:
        if parts:
            log.warning(
                "set aside %d parts of a dispatch document from %s: %s", len(parts), source, ascii(parts[0])[1:-1]
            )
            tx.dock.metrics.refused("dispatch", "part")


def apply_pending(tx: Transaction) -> None:
    """Brings assignments and tags up to date with the documents received.

    Called before anything asks for them, and before the documents are durable.
    """
    if tx.dock.dispatch.was_read_again:
        _apply_anew(tx)
    new = tx.dock.dispatch.drain_new()
    if new is None:
        return
    tags.retag_officers(tx, tx.dock.dispatch.work_out(new, tx.store.officers()), *new.span)
    before, as_of = tx.store.dispatch_as_of, min(new.as_of, tx.now())  # no document speaks for the future
    if before is None or as_of > before:
        tx.store.set(MetaKey.DISPATCH_AS_OF, format_instant(as_of))
        for clip in tx.store.waiting_for_dispatch(format_instant(as_of)):
            tags.revise(tx, clip, tags.UNDISPATCHED)


def _apply_anew(tx: Transaction) -> None:
    """After a change of version: what is still known of dispatch may now mean something else."""
    now = tx.now()
    changed = tx.dock.dispatch.work_out_anew(tx.store.officers())
    known_since = now - timedelta(days=tx.dock.config.activation.keep_days)
    tags.retag_officers(tx, changed, known_since + LONGEST_CALL, now)

"""Taking in dispatch documents: kept at once, worked out many together, and the clips that they touch tagged anew."""

from __future__ import annotations

import logging

from daemon.core.dispatch.eido import Snapshot
from daemon.core.windows import LONGEST_CALL, SHIFT
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
    dispatch = tx.dock.dispatch
    if dispatch.was_read_again:
        _apply_anew(tx)
    new = dispatch.drain_new()
    if new is not None:
        before, as_of = tx.store.dispatch_as_of, min(new.as_of, tx.now())  # no document speaks for the future
        if before is None or as_of > before:
            tx.store.set(MetaKey.DISPATCH_AS_OF, format_instant(as_of))
        tags.retag_officers(tx, dispatch.work_out(new, tx.store.officers()), *new.span)
        _retag_whom_units_name(tx, new)
    tags.retag_unclear(tx)
    if new is not None:
        tags.revise_covered(tx)


def _retag_whom_units_name(tx: Transaction, new: Snapshot) -> None:
    """Who is now known to be on some unit may have been on none: then every call of unknown crew was perhaps theirs."""
    begin, end = new.span[0] - SHIFT, new.span[1] + SHIFT
    if tx.dock.dispatch.unclear.any_unknown_between(begin - LONGEST_CALL, end):
        for officer_id in sorted({officer for status in new.statuses for officer in status.officer_ids}):
            tags.retag(tx, officer_id, begin, end)


def _apply_anew(tx: Transaction) -> None:
    """After a change of version what is still known of dispatch may mean something else: a share of it in each pass."""
    tags.retag_spans(tx, tx.dock.dispatch.work_out_anew(tx.store.officers()))

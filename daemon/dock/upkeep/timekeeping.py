"""What time alone brings: orders that run out, a clock that went back, the time persisted, old documents forgotten."""

from __future__ import annotations

import logging
from datetime import timedelta

from daemon.core.lifecycle import State
from daemon.dock import lock_state
from daemon.dock.context import Transaction
from daemon.dock.store.meta import MetaKey
from daemon.model.times import format_instant

log = logging.getLogger(__name__)
_PERSIST_EVERY = 10.0
_PRUNE_EVERY = 3600.0


class Timekeeping:
    """Asked in every pass of the loop; the longer intervals are counted on the boot clock."""

    def __init__(self) -> None:
        self._trusted = True
        self._persisted = float("-inf")
        self._pruned = float("-inf")

    def tick(self, tx: Transaction) -> bool:
        """Does what is due. Returns whether the time was persisted in this pass."""
        lock_state.expire(tx)
        self._watch_clock(tx)
        boot = tx.reading().boot
        if boot - self._pruned >= _PRUNE_EVERY:
            self._pruned = boot
            tx.dock.dispatch.prune(tx.now() - timedelta(days=tx.dock.config.activation.keep_days))
        if boot - self._persisted < _PERSIST_EVERY:
            return False
        self._persisted = boot
        self._persist(tx)
        return True

    def _watch_clock(self, tx: Transaction) -> None:
        """While the wall clock reads earlier than a time already persisted, everything is locked."""
        trusted = tx.reading().trusted
        tx.dock.metrics.clock(trusted)
        if trusted == self._trusted:
            return
        self._trusted = trusted
        log.warning("the clock is %s", "trusted again" if trusted else "earlier than a recorded time; all locked")
        for clip in tx.store.clips(State.RELEASED):
            tx.announce(clip.clip_id, clip.state)

    def _persist(self, tx: Transaction) -> None:
        reading = tx.reading()
        tx.store.keep_remaining(reading.boot)  # counted on the boot clock, whatever the wall clock says
        if reading.trusted:
            tx.state.latest = reading.now
            tx.store.set(MetaKey.LATEST, format_instant(reading.now))

"""How many cameras were on in time over the last hours: counted in the background, told in the dock's status."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from daemon.core.dispatch.compliance import review
from daemon.dock.context import DockContext, Transaction
from daemon.dock.dispatch import compliance_source
from daemon.dock.loop import Loop
from daemon.dock.store.meta import MetaKey
from daemon.dock.worker import Worker
from daemon.model.documents import ShiftActivation

_LOOK_EVERY = 30.0
_COUNT_ANEW_EVERY = 900.0


class ShiftCounter:
    """One thread that reads the store beside the loop, and only when clips or dispatch documents came in."""

    def __init__(self, dock: DockContext, loop: Loop, counted: Callable[[ShiftActivation], None]) -> None:
        """`counted` is called on the loop's thread with each new count."""
        self._dock = dock
        self._loop = loop
        self._counted = counted
        self._worker = Worker("shift", loop, self._work)

    def start(self) -> None:
        """Begins."""
        self._worker.start()

    def stop(self) -> None:
        """Ends it, and waits for it."""
        self._worker.stop()

    def _work(self, worker: Worker) -> None:
        known: object = None
        counted_at = float("-inf")
        while True:
            now, newest = self._dock.clock.monotonic(), self._loop.run_in_transaction(_newest)
            if newest != known or now - counted_at >= _COUNT_ANEW_EVERY:
                known, counted_at = newest, now
                self._loop.run_in_transaction(_tell, self._counted, self._count())
            worker.wait(_LOOK_EVERY)

    def _count(self) -> ShiftActivation:
        config, end = self._dock.config, self._dock.now()
        begin = end - timedelta(hours=config.activation.shift_hours)
        found = compliance_source.read(config, begin, end)
        grace = config.activation.grace_seconds
        counts = review(found.clips, found.assignments, found.docked_until, grace, begin, end).overall.counts
        return ShiftActivation(
            since=begin,
            on_time=counts["on_time"],
            late=counts["late"],
            partial=counts["partial"],
            absent=counts["absent"],
            pending=counts["pending"],
            excused=counts["excused"],
            unknown_crew=sum(begin <= call.dispatched_at < end for call in found.unknown),
        )


def _newest(tx: Transaction) -> tuple[str | None, str | None]:
    """Changes with every clip, tag and dispatch document."""
    return tx.store.get(MetaKey.SEQUENCE), tx.store.get(MetaKey.DISPATCH_AS_OF)


def _tell(_: Transaction, counted: Callable[[ShiftActivation], None], count: ShiftActivation) -> None:
    counted(count)

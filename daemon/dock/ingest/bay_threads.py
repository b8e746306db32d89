"""The bays that have a camera in them, each with its thread."""

from __future__ import annotations

import logging
from collections.abc import Callable

from daemon.dock.camera.mounts import Docked
from daemon.dock.ingest.bay import BayThread
from daemon.dock.ingest.ledger import IngestLedger
from daemon.dock.ingest.read_turns import ReadTurns
from daemon.model.documents import Bay

log = logging.getLogger(__name__)


class BayThreads:
    """Lives on the loop's thread."""

    def __init__(self, ledger: IngestLedger, turns: ReadTurns, unseen: float, publish: Callable[[Bay], None]) -> None:
        """`unseen`: for how many seconds before nobody looked at the bays. `publish` is told of a bay that is empty."""
        self._ledger = ledger
        self._turns = turns
        self._unseen = unseen
        self._publish = publish
        self._threads: dict[str, BayThread] = {}

    def __len__(self) -> int:
        """How many cameras are docked."""
        return len(self._threads)

    def reconcile(self, docked: dict[str, Docked]) -> None:
        """Brings the threads in line with what is docked: level-triggered, whatever the hint was."""
        for bay, thread in list(self._threads.items()):
            if bay not in docked or docked[bay].identity != thread.identity:
                del self._threads[bay]
                thread.stop()
                self._publish(Bay(bay=bay, state="empty"))
        unseen, self._unseen = self._unseen, 0.0
        for bay, camera in docked.items():
            if bay not in self._threads:
                log.info("bay %s: a camera docked", bay, extra={"bay": bay})
                self._threads[bay] = BayThread(self._ledger, camera, self._turns, unseen)
                self._threads[bay].start()

    def is_docked(self, bay: str, identity: str) -> bool:
        """Whether this is what is docked there now."""
        thread = self._threads.get(bay)
        return thread is not None and thread.identity == identity

    def wake(self) -> None:
        """Something changed that clips may wait for: every bay looks again now."""
        for thread in self._threads.values():
            thread.wake()

    def stop(self) -> None:
        """Ends them all; does not wait."""
        for thread in self._threads.values():
            thread.stop()

"""Dispatch documents from a folder, for a dispatch system that only exports files.

watchdog wakes the look, a few seconds pass at most without one. Files are only read: they are the exporter's. What has
been read is remembered by name, size and time, so that a folder may keep its files. One that cannot be read is said
once, and stops no other.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from daemon.core.dispatch.eido import LIMIT
from daemon.dock.dispatch.folder_listing import FoundFile, NotLookedAt, documents_below
from daemon.dock.folder_watch import FolderWatch
from daemon.dock.loop import Loop
from daemon.dock.worker import Worker

log = logging.getLogger(__name__)
Stamp = tuple[int, int]
_INTERVAL = 2.0
_QUIET = 0.5
"""Seconds a file must be unchanged: a CAD that does not rename into place may still be writing it."""


class FolderIntake:
    """A thread that hands every new file to `receive(data, name)`; that returns once the document is durable."""

    def __init__(self, folder: Path, loop: Loop, receive: Callable[[bytes, str], None]) -> None:
        self._folder = folder
        self._receive = receive
        self._seen: dict[str, Stamp] = {}
        self._told: set[NotLookedAt] = set()
        self._wake = threading.Event()
        self._worker = Worker("dispatch folder", loop, self._work)
        self._watch = FolderWatch(folder, self._wake.set, recursive=True)

    def start(self) -> None:
        """Begins."""
        self._watch.start()
        self._worker.start()

    def stop(self) -> None:
        """Ends it; what was not taken is found again at the next start."""
        self._worker.ask_to_stop()
        self._wake.set()
        self._worker.stop(timeout=5)
        self._watch.stop()

    def _work(self, worker: Worker) -> None:
        told = False
        while not worker.stopping:
            self._wake.clear()
            try:
                waiting = self._look()
                told = False
            except OSError as error:
                waiting = False
                if not told:
                    log.warning("dispatch folder %s: %s", self._folder, error.strerror)
                    told = True
            self._wake.wait(_QUIET if waiting else _INTERVAL)

    def _look(self) -> bool:
        """Hands over what is new; returns whether some file may still be written."""
        waiting, present, unread = False, set(), set()
        for found in documents_below(self._folder):
            if isinstance(found, NotLookedAt):
                unread.add(found)
                continue
            present.add(found.name)
            stamp = (found.size, found.modified_ns)
            if self._seen.get(found.name) == stamp:
                continue
            if not _is_quiet(found):
                waiting = True
                continue
            try:
                with found.path.open("rb") as file:
                    data = file.read(LIMIT + 1)
            except OSError as error:
                unread.add(NotLookedAt(found.name, error.strerror or "cannot be read"))
                continue
            self._receive(data, f"file {found.name}")
            self._seen[found.name] = stamp
        self._seen = {name: stamp for name, stamp in self._seen.items() if name in present}
        for one in sorted(unread - self._told, key=lambda one: one.name):
            log.warning("dispatch folder %s: %s: %s", self._folder, ascii(one.name)[1:-1], one.reason)
        self._told = unread
        return waiting


def _is_quiet(found: FoundFile) -> bool:
    return abs(time.time() - found.modified_ns / 1e9) >= _QUIET

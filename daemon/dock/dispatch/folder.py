"""Dispatch documents from a folder, for a dispatch system that only exports files.

watchdog wakes the look, a few seconds pass at most without one. Files are only read: they are the exporter's. What has
been read is remembered by name, size and time, so that a folder may keep its files.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from daemon.core.dispatch.eido import LIMIT
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
        self._wake = threading.Event()
        self._worker = Worker("dispatch folder", loop, self._work)
        self._watch = FolderWatch(folder, self._wake.set)

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
        waiting, present = False, set()
        with os.scandir(self._folder) as entries:
            found = sorted((entry for entry in entries if entry.name.endswith(".json")), key=lambda e: e.name)
        for entry in found:
            if not entry.is_file(follow_symlinks=False) or entry.name.startswith("."):
                continue
            present.add(entry.name)
            info = entry.stat(follow_symlinks=False)
            stamp = (info.st_size, info.st_mtime_ns)
            if self._seen.get(entry.name) == stamp:
                continue
            if not _is_quiet(info):
                waiting = True
                continue
            with Path(entry.path).open("rb") as file:
                data = file.read(LIMIT + 1)
            self._receive(data, f"file {entry.name}")
            self._seen[entry.name] = stamp
        self._seen = {name: stamp for name, stamp in self._seen.items() if name in present}
        return waiting


def _is_quiet(info: os.stat_result) -> bool:
    return abs(time.time() - info.st_mtime) >= _QUIET

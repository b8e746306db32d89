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
from daemon.dock.folder_watch import Hints
from daemon.model.errors import UnavailableError

log = logging.getLogger(__name__)
Stamp = tuple[int, int]
_INTERVAL = 2.0
_SETTLED = 0.5
"""Seconds a file must be unchanged: a CAD that does not rename into place may still be writing it."""


class FolderIntake:
    """A thread that hands every new file to `receive(data, name)`; that returns once the document is durable."""

    def __init__(self, folder: Path, receive: Callable[[bytes, str], None]) -> None:
        self._folder = folder
        self._receive = receive
        self._seen: dict[str, Stamp] = {}
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="dispatch folder", daemon=True)
        self._hints = Hints(folder, self._wake.set)

    def start(self) -> None:
        self._hints.start()
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(5)
            self._hints.stop()

    def _run(self) -> None:
        told = False
        while not self._stopping:
            self._wake.clear()
            try:
                waiting = self._look()
                told = False
            except UnavailableError:
                return  # the dock is stopping; what was not taken is found again at the next start
            except OSError as error:
                waiting = False
                if not told:
                    log.warning("dispatch folder %s: %s", self._folder, error.strerror)
                    told = True
            self._wake.wait(_SETTLED if waiting else _INTERVAL)

    def _look(self) -> bool:
        """Hands over what is new; returns whether some file is not settled yet."""
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
            if not _settled(info):
                waiting = True
                continue
            with Path(entry.path).open("rb") as file:
                data = file.read(LIMIT + 1)
            self._receive(data, f"file {entry.name}")
            self._seen[entry.name] = stamp
        self._seen = {name: stamp for name, stamp in self._seen.items() if name in present}
        return waiting


def _settled(info: os.stat_result) -> bool:
    return abs(time.time() - info.st_mtime) >= _SETTLED

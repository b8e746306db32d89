"""watchdog as a hint: it says when to look again, never what there is.

Only names that came or were completed count: the looking itself makes inotify events, and must not wake itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

log = logging.getLogger(__name__)
_KINDS = frozenset({"created", "closed", "deleted", "moved"})


class FolderWatch:
    """Calls `wake`, which must neither raise nor block, from watchdog's thread."""

    def __init__(self, folder: Path, wake: Callable[[], None], *, recursive: bool = False) -> None:
        """`recursive`: also of what happens in the folders below."""
        self._recursive = recursive
        self._folder = folder
        self._handler = _Handler(wake)
        self._observer: BaseObserver | None = None
        """Made by `start`: it holds one of the kernel's inotify instances, of which a user has 128."""

    def start(self) -> None:
        """A folder that cannot be watched is only looked at less often."""
        try:
            observer = Observer()
            observer.schedule(self._handler, str(self._folder), recursive=self._recursive)
            observer.start()
        except OSError as error:
            log.warning("%s cannot be watched (%s); it is looked at every few seconds", self._folder, error.strerror)
        else:
            self._observer = observer

    def stop(self) -> None:
        """Ends the watch, and waits for its thread."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None


class _Handler(FileSystemEventHandler):
    """An exception in a handler would end watchdog's thread silently, so this does one thing."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in _KINDS:
            self._wake()

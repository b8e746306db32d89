"""Watching for cameras that come and go: one level-triggered look decides, on every hint and every few seconds."""

from __future__ import annotations

import logging
import os
import select
from collections.abc import Callable
from pathlib import Path

from daemon.dock.camera.mounts import MOUNTINFO, Docked, mounted, plain
from daemon.dock.folder_watch import FolderWatch
from daemon.dock.loop import Loop
from daemon.dock.worker import Worker

log = logging.getLogger(__name__)
_LOOK_EVERY = 2.0


class MountWatcher:
    """Tells `look` what is docked, from a thread of its own: at once, on every hint, and every few seconds."""

    def __init__(
        self, mounts: Path, loop: Loop, look: Callable[[dict[str, Docked]], None], *, plain_directories: bool
    ) -> None:
        """`plain_directories`: bays are directories, not mounts (development only)."""
        self._mounts = mounts.resolve()
        self._look = look
        self._plain = plain_directories
        self._pipe: tuple[int, int] | None = None
        """What a hint is written into, and what the thread waits for; there from `start` to `stop`."""
        self._worker = Worker("mounts", loop, self._work)
        self._watch = FolderWatch(self._mounts, self._hint) if plain_directories else None

    def start(self) -> None:
        """Begins."""
        self._pipe = os.pipe()
        os.set_blocking(self._pipe[1], False)
        if self._watch is not None:
            self._watch.start()
        self._worker.start()

    def stop(self) -> None:
        """Ends it, and waits for it."""
        if self._watch is not None:
            self._watch.stop()
        self._worker.ask_to_stop()
        self._hint()
        self._worker.stop()
        if self._pipe is not None:
            for end in self._pipe:
                os.close(end)
            self._pipe = None

    def _hint(self) -> None:
        if self._pipe is None:
            return
        try:
            os.write(self._pipe[1], b"w")
        except BlockingIOError:
            pass  # full of hints already

    def _work(self, worker: Worker) -> None:
        assert self._pipe is not None  # noqa: S101 - `start` made it
        hints = self._pipe[0]
        with MOUNTINFO.open() as info:
            poll = select.poll()
            poll.register(info, select.POLLPRI | select.POLLERR)  # the kernel's mark that mounts changed
            poll.register(hints, select.POLLIN)
            while not worker.stopping:
                info.seek(0)
                text = info.read()
                try:
                    self._look(plain(self._mounts) if self._plain else mounted(self._mounts, text))
                except OSError as error:
                    log.warning("cannot look at the bays below %s: %s", self._mounts, error.strerror)
                for fd, _ in poll.poll(_LOOK_EVERY * 1000):
                    if fd == hints:
                        os.read(hints, 4096)

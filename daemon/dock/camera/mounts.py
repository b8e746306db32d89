"""Which bays have a camera in them: `/proc/self/mountinfo` is the truth, everything else is a hint to look again.

inotify says nothing about mounts, so watchdog serves for plain directories (development) only. One level-triggered
look decides; it runs on every hint and every few seconds. The parent never touches what is mounted.
"""

from __future__ import annotations

import logging
import os
import select
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from daemon.dock.folder_watch import Hints
from daemon.model.types import check_id

log = logging.getLogger(__name__)
MOUNTINFO = Path("/proc/self/mountinfo")


@dataclass(frozen=True)
class Docked:
    """A camera in a bay. `identity` changes when another camera, or the same one again, is docked."""

    bay: str
    path: Path
    identity: str


def mounted(mounts: Path, mountinfo: str) -> dict[str, Docked]:
    """The bays that have something mounted on them, from the text of mountinfo (proc(5)).

    A bay mounted over twice (bind mounts make doubles) counts once, as what is on top.
    """
    found: dict[str, Docked] = {}
    for line in mountinfo.splitlines():
        fields = line.split(" ")
        if len(fields) < 5:
            continue
        path = Path(_unescape(fields[4]))
        if path.parent == mounts and _is_bay(path.name):
            found[path.name] = Docked(path.name, path, f"{fields[0]}/{fields[2]}")
    return found


def plain(mounts: Path) -> dict[str, Docked]:
    """The bays that are plain directories: development only, behind an explicit setting."""
    found: dict[str, Docked] = {}
    with os.scandir(mounts) as entries:
        for entry in entries:
            if _is_bay(entry.name) and entry.is_dir(follow_symlinks=False):
                found[entry.name] = Docked(entry.name, mounts / entry.name, f"{entry.inode()}")
    return found


class MountWatcher:
    """Calls `look` from a thread of its own: at once, on every hint, and every `interval` seconds."""

    def __init__(self, mounts: Path, look: Callable[[dict[str, Docked]], None], *, plain_directories: bool) -> None:
        self._mounts = mounts.resolve()
        self._look = look
        self._plain = plain_directories
        self._stop_read, self._stop_write = os.pipe()
        os.set_blocking(self._stop_write, False)
        self._thread = threading.Thread(target=self._run, name="mounts", daemon=True)
        self._hints = Hints(self._mounts, self._wake) if plain_directories else None

    def start(self) -> None:
        if self._hints is not None:
            self._hints.start()
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            os.write(self._stop_write, b"q")
            self._thread.join()
        if self._hints is not None:
            self._hints.stop()

    def _wake(self) -> None:
        try:
            os.write(self._stop_write, b"w")
        except BlockingIOError:
            pass  # full of hints already

    def _run(self, interval: float = 2.0) -> None:
        with MOUNTINFO.open() as info:
            poll = select.poll()
            poll.register(info, select.POLLPRI | select.POLLERR)  # the kernel's mark that mounts changed
            poll.register(self._stop_read, select.POLLIN)
            while True:
                info.seek(0)
                text = info.read()
                try:
                    self._look(plain(self._mounts) if self._plain else mounted(self._mounts, text))
                except OSError as error:
                    log.warning("cannot look at the bays below %s: %s", self._mounts, error.strerror)
                for fd, _ in poll.poll(interval * 1000):
                    if fd == self._stop_read and b"q" in os.read(self._stop_read, 4096):
                        return


def _is_bay(name: str) -> bool:
    try:
        check_id(name)
    except ValueError:
        return False
    return not name.startswith(".")


def _unescape(path: str) -> str:
    """mountinfo writes space, tab, newline and backslash as octal escapes."""
    for escape, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(escape, char)
    return path

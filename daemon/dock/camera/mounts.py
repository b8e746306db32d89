"""Which bays have a camera in them: `/proc/self/mountinfo` is the truth, everything else is a hint to look again.

inotify says nothing about mounts, so watchdog serves for plain directories (development) only. The parent never touches
what is mounted.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from daemon.model.types import check_id

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

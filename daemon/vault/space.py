"""How much room a vault has, and what it means when there is none."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon.model.errors import NotDurableError, UnavailableError

_SPARE_FILES = 32
"""Inodes kept free, so that custody and the store can always be written."""


class DiskFullError(UnavailableError):
    """The vault has no room. What was to be stored is still where it came from; it goes on when space returns."""


def disk_full() -> DiskFullError:
    """The error that says so, with what would change it."""
    return DiskFullError("the vault's disk is full; the clip stays on its camera until there is room")


def free_bytes(path: Path) -> int:
    """Bytes an unprivileged process can still write at `path`."""
    info = os.statvfs(path)
    return info.f_bavail * info.f_frsize


def has_room(path: Path, size: int) -> bool:
    """Whether `size` bytes and a few files more fit at `path`."""
    info = os.statvfs(path)
    return info.f_bavail * info.f_frsize >= size and (info.f_files == 0 or info.f_favail >= _SPARE_FILES)


def size_bytes(path: Path) -> int:
    """How large the filesystem at `path` is."""
    info = os.statvfs(path)
    return info.f_blocks * info.f_frsize


@contextmanager
def room(path: Path) -> Iterator[None]:
    """Writing below `path`: for want of room DiskFullError, for anything else NotDurableError."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise disk_full() from error
        raise NotDurableError(f"{path}: writing failed ({error.strerror})") from error

"""How much free space a vault's filesystem has, and the error for a full one."""

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
    """The vault's disk is full. The footage is still on its camera; the dock goes on when there is space again."""


def disk_full() -> DiskFullError:
    """The error to raise when the vault's disk is full."""
    return DiskFullError("the vault's disk is full; the clip stays on its camera until there is room")


def free_bytes(path: Path) -> int:
    """Bytes that a process without privileges can still write to the filesystem of `path`."""
    info = os.statvfs(path)
    return info.f_bavail * info.f_frsize


def has_room(path: Path, size: int) -> bool:
    """Whether `size` more bytes, and a few more files, fit on the filesystem of `path`."""
    info = os.statvfs(path)
    return info.f_bavail * info.f_frsize >= size and (info.f_files == 0 or info.f_favail >= _SPARE_FILES)


def size_bytes(path: Path) -> int:
    """The size of the filesystem of `path`, in bytes."""
    info = os.statvfs(path)
    return info.f_blocks * info.f_frsize


@contextmanager
def room(path: Path) -> Iterator[None]:
    """Turns an OSError of writes below `path` into DiskFullError (ENOSPC, EDQUOT) or NotDurableError (any other)."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise disk_full() from error
        raise NotDurableError(f"{path}: writing failed ({error.strerror})") from error

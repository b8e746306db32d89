"""Writes that are on the medium when the function returns.

A failed fsync, rename or close leaves the outcome unknown (the kernel may have dropped the dirty pages and will not say
so twice), so each raises NotDurableError: the daemon stops and the service manager restarts it.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path

from daemon.model.errors import NotDurableError

_libc = ctypes.CDLL(None, use_errno=True)


def fsync(fd: int, what: str) -> None:
    """Raises NotDurableError naming `what`."""
    try:
        os.fsync(fd)
    except OSError as error:
        raise NotDurableError(f"{what}: fsync failed ({error.strerror}); what is on the medium is unknown") from error


def fsync_directory(path: Path) -> None:
    """Makes names created in or moved into `path` durable. Raises NotDurableError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fsync(fd, str(path))
        finally:
            os.close(fd)
    except OSError as error:
        raise NotDurableError(f"{path}: syncing the directory failed ({error.strerror})") from error


def syncfs(fd: int) -> None:
    """Everything written to the filesystem `fd` is on (syncfs(2)). Raises OSError."""
    if _libc.syncfs(fd) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def sync_filesystem(path: Path) -> None:
    """Makes everything durable that was written to the filesystem `path` is on. Raises NotDurableError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            syncfs(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise NotDurableError(f"{path}: syncfs failed ({error.strerror}); what is on the medium is unknown") from error


def write_new(path: Path, data: bytes, mode: int = 0o644, *, sync: bool = True) -> None:
    """A new file with `data`, durable but for its name (fsync its directory for that). Raises FileExistsError.

    Without `sync` nothing is durable yet: `sync_filesystem` makes it so, for many files at once.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        write_all(fd, data)
        if sync:
            fsync(fd, str(path))
    finally:
        os.close(fd)


def write_replacing(path: Path, data: bytes, mode: int = 0o644) -> None:
    """`path` holds `data` once this returns, and holds the old or the new content, whole, at every moment before."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    write_new(temporary, data, mode)
    rename(temporary, path)


def rename(source: Path, target: Path) -> None:
    """Moves `source` to `target` on the same filesystem and makes the move durable. Raises NotDurableError."""
    rename_all([(source, target)])


def rename_all(moves: Sequence[tuple[Path, Path]]) -> None:
    """Moves each first to its second, and makes all the moves durable together. Raises NotDurableError."""
    for source, target in moves:
        try:
            source.rename(target)
        except OSError as error:
            raise NotDurableError(f"{target}: rename failed ({error.strerror})") from error
    targets = dict.fromkeys(target.parent for _, target in moves)
    for directory in {**targets, **dict.fromkeys(source.parent for source, _ in moves)}:
        fsync_directory(directory)


def make_directories(path: Path, mode: int = 0o755) -> None:
    """`path` and its missing parents, each durable in its parent."""
    if path.is_dir():
        return
    make_directories(path.parent, mode)
    path.mkdir(mode=mode, exist_ok=True)
    fsync_directory(path.parent)


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Writes every byte of `data` at the file's position."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]

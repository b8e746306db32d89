"""Writes that are on the medium when the function returns.

After a failed fsync or rename nobody knows what is on the medium: the kernel may have dropped the unwritten pages, and
reports the error only once. So each function raises NotDurableError; the service stops and is started again.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Sequence
from pathlib import Path

from daemon.model.errors import NotDurableError

_libc = ctypes.CDLL(None, use_errno=True)


def fsync(fd: int, what: str) -> None:
    """Makes the content of the open file `fd` durable (fsync(2)). Raises NotDurableError naming `what`."""
    try:
        os.fsync(fd)
    except OSError as error:
        raise NotDurableError(f"{what}: fsync failed ({error.strerror}); what is on the medium is unknown") from error


def fsync_directory(path: Path) -> None:
    """Makes the names in the directory `path` durable: created, moved, removed. Raises NotDurableError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fsync(fd, str(path))
        finally:
            os.close(fd)
    except OSError as error:
        raise NotDurableError(f"{path}: syncing the directory failed ({error.strerror})") from error


def syncfs(fd: int) -> None:
    """Makes durable all that was written to the filesystem on which `fd` is open (syncfs(2)). Raises OSError."""
    if _libc.syncfs(fd) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def sync_filesystem(path: Path) -> None:
    """Makes durable all that was written to the filesystem of the directory `path`. Raises NotDurableError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            syncfs(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise NotDurableError(f"{path}: syncfs failed ({error.strerror}); what is on the medium is unknown") from error


def write_new(path: Path, data: bytes, mode: int = 0o644, *, sync: bool = True) -> None:
    """Writes `data` to a new file and makes its content durable. For its name, call `fsync_directory` on its directory.

    Without `sync` nothing is durable yet: call `sync_filesystem` for many files at once.
    Raises FileExistsError, NotDurableError, and OSError when writing fails.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        write_all(fd, data)
        if sync:
            fsync(fd, str(path))
    finally:
        os.close(fd)


def write_replacing(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replaces the file `path` by `data`, durably. At every moment it holds either the old or the new content, whole.

    Raises NotDurableError, and OSError when writing fails. A directory cannot be replaced: nothing is written then.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    write_new(temporary, data, mode)
    rename(temporary, path)


def rename(source: Path, target: Path) -> None:
    """Moves `source` to `target` on the same filesystem and makes the move durable. Raises NotDurableError."""
    rename_all([(source, target)])


def rename_all(moves: Sequence[tuple[Path, Path]]) -> None:
    """Renames each (source, target) on one filesystem, and makes all renames durable. Raises NotDurableError."""
    for source, target in moves:
        try:
            source.rename(target)
        except OSError as error:
            raise NotDurableError(f"{target}: rename failed ({error.strerror})") from error
    targets = dict.fromkeys(target.parent for _, target in moves)
    for directory in {**targets, **dict.fromkeys(source.parent for source, _ in moves)}:
        fsync_directory(directory)


def make_directories(path: Path, mode: int = 0o755) -> None:
    """Creates the directory `path` and its missing parents; each name is durable. Raises NotDurableError, OSError."""
    if path.is_dir():
        return
    make_directories(path.parent, mode)
    path.mkdir(mode=mode, exist_ok=True)
    fsync_directory(path.parent)


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Writes all of `data` at the file's position, with as many calls as it takes. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]

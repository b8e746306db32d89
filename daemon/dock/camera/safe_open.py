"""Opening files below a directory that an attacker made.

Nothing is opened by path. `openat2` (Linux 5.6) resolves beneath the directory with no link and no other mount
followed; where it is not to be had (ENOSYS under some seccomp filters) a walk by descriptor with O_NOFOLLOW does the
same. What was opened is checked after opening: there is no moment between look and use.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from pathlib import PurePosixPath

from daemon.model.errors import CameraReadError

_OPENAT2 = 437
_RESOLVE = 0x01 | 0x02 | 0x04 | 0x08  # NO_XDEV | NO_MAGICLINKS | NO_SYMLINKS | BENEATH
_COMMON = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_libc = ctypes.CDLL(None, use_errno=True)


def open_directory(root: int, path: str) -> int:
    """A directory below `root`. Raises CameraReadError."""
    return _open(root, path, os.O_RDONLY | os.O_DIRECTORY)


def open_file(root: int, path: str, *, limit: int) -> int:
    """A regular file below `root`, for reading: one link, same device, not sparse, at most `limit` bytes.

    Raises CameraReadError saying which of these it is not.
    """
    fd = _open(root, path, os.O_RDONLY)
    try:
        _check(fd, root, path, limit)
    except OSError as error:  # an unplugged or failing camera, or a file that shrank between two looks
        close(fd)
        raise CameraReadError(f"{_shown(path)}: {_text(error)}") from error
    except BaseException:
        close(fd)
        raise
    return fd


def close(fd: int) -> None:
    """Closes what was only read. If the camera is unplugged by then (FUSE says so at closing), nothing is lost."""
    try:
        os.close(fd)
    except OSError:
        pass  # Linux has released the descriptor anyway


def read_small(root: int, path: str, *, limit: int) -> bytes:
    """The content of a small file below `root`; one byte more than `limit` at most. Raises CameraReadError."""
    fd = open_file(root, path, limit=limit)
    try:
        return os.read(fd, limit + 1)
    except OSError as error:
        raise CameraReadError(f"{_shown(path)}: {_text(error)}") from error
    finally:
        close(fd)


def _check(fd: int, root: int, path: str, limit: int) -> None:
    info = os.fstat(fd)
    if not stat.S_ISREG(info.st_mode):
        raise CameraReadError(f"{_shown(path)}: not a regular file")
    if info.st_dev != os.fstat(root).st_dev:
        raise CameraReadError(f"{_shown(path)}: lies on another device")
    if info.st_nlink != 1:
        raise CameraReadError(f"{_shown(path)}: has {info.st_nlink} names; expected one")
    if info.st_size > limit:
        raise CameraReadError(f"{_shown(path)}: {info.st_size} bytes, more than the {limit} allowed")
    if info.st_size and os.lseek(fd, 0, os.SEEK_HOLE) < info.st_size:
        raise CameraReadError(f"{_shown(path)}: has holes; a camera writes none")
    os.lseek(fd, 0, os.SEEK_SET)


def _open(root: int, path: str, flags: int) -> int:
    if "\0" in path:
        raise CameraReadError(f"{_shown(path)}: no file has such a name")
    try:
        return openat2(root, path, flags | _COMMON)
    except OSError as error:
        if error.errno not in {errno.ENOSYS, errno.EPERM}:
            raise CameraReadError(f"{_shown(path)}: {_text(error)}") from error
    try:
        return _walk(root, path, flags | _COMMON)
    except OSError as error:
        raise CameraReadError(f"{_shown(path)}: {_text(error)}") from error


def openat2(root: int, path: str, flags: int) -> int:
    """openat2(2) beneath `root`, following no link and no other mount. Raises OSError, ENOSYS where it is filtered."""
    how = struct.pack("QQQ", flags, 0, _RESOLVE)
    fd = int(_libc.syscall(_OPENAT2, root, ctypes.c_char_p(os.fsencode(path)), how, len(how)))
    if fd < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return fd


def _walk(root: int, path: str, flags: int) -> int:
    """As openat2, one level at a time, refusing `..`, absolute paths, links and other devices."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    device = os.fstat(root).st_dev
    current = os.dup(root)
    try:
        for part in pure.parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | _COMMON, dir_fd=current)
            os.close(current)
            current = inner
        fd = os.open(pure.parts[-1], flags, dir_fd=current)
    finally:
        os.close(current)
    if os.fstat(fd).st_dev != device:
        os.close(fd)
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    return fd


def _text(error: OSError) -> str:
    if error.errno in {errno.ELOOP, errno.EXDEV}:
        return "leads out of the mount or through a link"
    return (error.strerror or "cannot be opened").lower()


def _shown(path: str) -> str:
    """A file name fit for a log line, whatever bytes an attacker put into it."""
    return ascii(path)[1:-1][:200]

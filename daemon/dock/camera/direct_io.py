"""Writing and reading sealed files past the page cache: O_DIRECT where the filesystem can, the next best where not.

Buffers are page-aligned (daemon.dock.camera.slots) and reach to the next page boundary.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import time
from pathlib import Path

from daemon.vault import durable

PAGE = mmap.PAGESIZE
_BUFFERED_SLICE = 128 * 1024  # without O_DIRECT, small slices are nearly as fast; large ones are 3 to 4 times slower


class SealedOutput:
    """The sealed file being written: unbuffered (O_DIRECT) where the filesystem can, in small slices where not."""

    def __init__(self, path: Path, size: int, *, alone: bool) -> None:
        """One that is not `alone` is small and among many that are made durable at once: the kernel gathers them."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._path, self._size = path, size
        self._direct = False
        if not alone:
            self._fd = os.open(path, flags, 0o644)
            return
        try:
            self._fd = os.open(path, flags | os.O_DIRECT, 0o644)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            path.unlink(missing_ok=True)  # some filesystems create the file and then refuse O_DIRECT
            self._fd = os.open(path, flags, 0o644)
        self._direct = bool(fcntl.fcntl(self._fd, fcntl.F_GETFL) & os.O_DIRECT)
        try:
            os.posix_fallocate(self._fd, 0, size)  # a full disk is found now, not after minutes
        except OSError as error:
            if error.errno not in {errno.EINVAL, errno.EOPNOTSUPP}:  # a filesystem that cannot set room aside
                os.close(self._fd)
                raise

    def write(self, data: memoryview, offset: int) -> None:
        """`data` at `offset`; the buffer behind it reaches to the next page boundary."""
        if self._direct:
            padded = memoryview(data.obj)[: -(-len(data) // PAGE) * PAGE]
            try:
                self._write_all(padded, offset, len(padded))
            except OSError as error:
                if error.errno != errno.EINVAL:  # it refuses O_DIRECT only now
                    raise
                self._direct = False
                flags = fcntl.fcntl(self._fd, fcntl.F_GETFL)
                fcntl.fcntl(self._fd, fcntl.F_SETFL, flags & ~os.O_DIRECT)
            else:
                return
        self._write_all(data, offset, _BUFFERED_SLICE)

    def _write_all(self, data: memoryview, offset: int, slice_length: int) -> None:
        done = 0
        while done < len(data):
            done += os.pwrite(self._fd, data[done : done + slice_length], offset + done)

    def finish(self, sync: bool) -> float:
        """Cuts the padding off and makes the content durable; returns how many seconds the latter took."""
        if not sync:
            return 0.0
        os.ftruncate(self._fd, self._size)
        started = time.monotonic()
        durable.fsync(self._fd, str(self._path))
        return time.monotonic() - started

    def close(self) -> None:
        """Closes the file, finished or not."""
        os.close(self._fd)


def open_uncached(path: Path) -> int:
    """Opens for reading past the page cache: O_DIRECT, or dropping the cached pages where that is refused."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags | os.O_DIRECT)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        fd = os.open(path, flags)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        return fd


def read_uncached(fd: int, buffer: memoryview, length: int, offset: int) -> int:
    """Reads up to `length` bytes at `offset` into a page-aligned buffer; returns how many there were."""
    padded = -(-length // PAGE) * PAGE
    done = 0
    while done < length:
        try:
            count = os.preadv(fd, [buffer[done:padded]], offset + done)
        except OSError as error:
            if error.errno == errno.EINVAL and done % PAGE:
                break  # O_DIRECT stopped short of a page, which it does only where the file ends
            raise
        if count == 0:
            break
        done += count
    return min(done, length)

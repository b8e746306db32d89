"""A camera whose file system is the attacker's own program: it answers late, never, endlessly, or dies.

The kernel's FUSE protocol (linux/fuse.h, 7.31) spoken by a thread, so that nothing needs to be installed. Needs root.
The process that serves must not touch its own mount: only reader processes may.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import stat
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

LOOKUP, FORGET, GETATTR, OPEN, READ, STATFS, RELEASE, FLUSH, INIT = 1, 2, 3, 14, 15, 17, 18, 25, 26
OPENDIR, READDIR, RELEASEDIR, INTERRUPT, DESTROY, BATCH_FORGET = 27, 28, 29, 36, 38, 42
_SILENT = {FORGET, BATCH_FORGET, INTERRUPT, DESTROY}
_libc = ctypes.CDLL(None, use_errno=True)


class SilentError(Exception):
    """Raised by a hook: this request is never answered."""


class YankedError(Exception):
    """Raised by a hook: the whole file system dies at this request."""


Hook = Callable[[int, str, bytes], bytes | None]
"""Asked first: (opcode, the file's path, the request's body) -> an answer, or None for the usual one."""


class Camera:
    """Files by path (a folder's content is None), served until it is yanked."""

    def __init__(self, files: dict[str, bytes | None], hook: Hook = lambda *_: None) -> None:
        self._files: dict[str, bytes | None] = {"": None, **files}
        self._nodes = ["", *(path for path in self._files if path)]
        self._hook = hook
        self.asked: list[int] = []
        self.fd = os.open("/dev/fuse", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def yank(self) -> None:
        """As when its cable is pulled: every request under way fails, and every later one."""
        os.write(self._wake_write, b"x")
        self._thread.join()

    def _serve(self) -> None:
        """Until unmounted or yanked: closing the device ends the file system, whoever waits for it."""
        try:
            while self._wake_read not in select.select([self.fd, self._wake_read], [], [])[0]:
                self._handle(os.read(self.fd, 1 << 18))
        except (OSError, YankedError):
            pass
        finally:
            os.close(self.fd)

    def _handle(self, request: bytes) -> None:
        _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
        self.asked.append(opcode)
        if opcode in _SILENT:
            return
        try:
            body, error = self._answer(opcode, self._nodes[node - 1], request[40:]), 0
        except SilentError:
            return
        except OSError as failed:
            body, error = b"", -(failed.errno or errno.EIO)
        os.write(self.fd, struct.pack("<IiQ", 16 + len(body), error, unique) + body)

    def _answer(self, opcode: int, path: str, body: bytes) -> bytes:
        hooked = self._hook(opcode, path, body)
        if hooked is not None:
            return hooked
        match opcode:
            case 26:
                major, minor, readahead, _ = struct.unpack_from("<IIII", body)
                return struct.pack("<IIIIHHIIHHI28x", major, min(minor, 31), readahead, 0, 16, 12, 1 << 17, 1, 32, 0, 0)
            case 1:
                return self._entry(f"{path}/{os.fsdecode(body.rstrip(bytes(1)))}".lstrip("/"))
            case 3:
                return struct.pack("<QII", 0, 0, 0) + self._attributes(path)
            case 14 | 27:
                return struct.pack("<QII", 0, 0, 0)
            case 15:
                offset, size = struct.unpack_from("<QI", body, 8)
                return (self._files[path] or b"")[offset : offset + size]
            case 28:
                offset, size = struct.unpack_from("<QI", body, 8)
                return directory(self._children(path)[offset:], offset, size)
            case 17:
                return struct.pack("<QQQQQIIII24x", 1000, 500, 500, 100, 50, 4096, 255, 4096, 0)
            case 18 | 25 | 29:
                return b""
        raise OSError(errno.ENOSYS, "not offered")

    def _children(self, path: str) -> list[str]:
        return [Path(one).name for one in self._files if one and str(Path(one).parent) == (path or ".")]

    def _entry(self, path: str) -> bytes:
        if path not in self._files:
            raise OSError(errno.ENOENT, "no such file")
        return struct.pack("<QQQQII", self._nodes.index(path) + 1, 0, 0, 0, 0, 0) + self._attributes(path)

    def _attributes(self, path: str) -> bytes:
        content = self._files[path]
        mode, links = (stat.S_IFDIR | 0o755, 2) if content is None else (stat.S_IFREG | 0o644, 1)
        size, node = len(content or b""), self._nodes.index(path) + 1
        return struct.pack("<6Q10I", node, size, -(-size // 512), 1, 1, 1, 0, 0, 0, mode, links, 0, 0, 0, 4096, 0)


def directory(names: list[str], first: int, size: int) -> bytes:
    """As many entries as `size` bytes hold; `first` is the offset of the first."""
    page = b""
    for number, name in enumerate(names, first + 1):
        raw = os.fsencode(name)
        entry = struct.pack("<QQII", number, number, len(raw), 8) + raw
        entry += bytes(-len(entry) % 8)
        if len(page) + len(entry) > size:
            break
        page += entry
    return page


@contextlib.contextmanager
def mounted(at: Path, camera: Camera) -> Iterator[Camera]:
    """`camera` mounted at `at`, served from a thread."""
    at.mkdir(parents=True, exist_ok=True)
    options = f"fd={camera.fd},rootmode=40000,user_id=0,group_id=0"
    flags = 1 | 2 | 4 | 8  # read-only, nosuid, nodev, noexec
    if _libc.mount(b"bwc-hostile", bytes(at), b"fuse", flags, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    camera.start()
    try:
        yield camera
    finally:
        _libc.umount2(bytes(at), 2)  # MNT_DETACH
        camera.yank()


def possible() -> bool:
    """Whether this machine lets us mount one."""
    return os.geteuid() == 0 and os.access("/dev/fuse", os.R_OK | os.W_OK)

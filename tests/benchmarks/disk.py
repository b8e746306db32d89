"""The limits that the machine sets, measured in the same run as what is held against them.

Files stay until the benchmark has ended: filesystems give the blocks of a deleted file back to the disk in the
background (ext4's `discard`), at the cost of whatever is measured next.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from daemon.dock.camera import slots
from daemon.seal.stream import PLAIN, TAG

_PIECE = 4 << 20
_NEW_SIZE = 24 << 30


def fill(path: Path, size: int) -> None:
    """A file of `size` random-looking bytes, durable and (where there is room) in the page cache."""
    piece = os.urandom(16 << 20)
    with path.open("wb") as file:
        left = size
        while left:
            left -= file.write(piece[: min(left, len(piece))])
        file.flush()
        os.fsync(file.fileno())


def sha256(path: Path) -> float:
    """Seconds of SHA-256 over the file on one core."""
    digest, buffer = hashlib.sha256(), memoryview(bytearray(1 << 20))
    with path.open("rb", buffering=0) as file:
        started = time.perf_counter()
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
        return time.perf_counter() - started


def hash_rate(threads: int, size: int = 1 << 30) -> float:
    """Bytes a second of SHA-256 from memory on so many threads together."""
    piece = os.urandom(_PIECE)

    def work() -> None:
        digest = hashlib.sha256()
        for _ in range(size // threads // _PIECE):
            digest.update(piece)

    return size / _together([work] * threads)


def _together(works: list[Callable[[], None]]) -> float:
    """Seconds until all are done, each on a thread of its own."""
    started = time.perf_counter()
    workers = [threading.Thread(target=work) for work in works]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.perf_counter() - started


def processor_rate(size: int = 1 << 30) -> float:
    """Bytes a second, on two threads together, of all that must be computed over footage: hashed, encrypted, the sealed
    file hashed, and decrypted to check its tags.
    """

    def work() -> None:
        plain, sealed = slots.buffer(2 << 20), slots.buffer(2 << 20)
        key, nonce = AESGCM(os.urandom(32)), os.urandom(12)
        plain[:] = os.urandom(len(plain))
        footage, stored = hashlib.sha256(), hashlib.sha256()
        for _ in range(size // 2 // PLAIN):
            segment, ciphertext = plain[:PLAIN], sealed[: PLAIN + TAG]
            footage.update(segment)
            key.encrypt_into(nonce, segment, None, ciphertext)
            stored.update(ciphertext)
            key.decrypt_into(nonce, ciphertext, None, segment)

    return size / _together([work, work])


@dataclass(frozen=True)
class Limits:
    """Bytes a second of footage, at most: by hashing it twice on two cores, by writing and reading it, and by all that
    two cores have to compute over it.
    """

    hashing: float
    disk: float
    processors: float

    @property
    def binding(self) -> float:
        return min(self.hashing, self.disk)

    @property
    def what_binds(self) -> str:
        return "hashing" if self.hashing < self.disk else "the disk"


def limits(written: Path, size: int) -> Limits:
    """Measured just now, with a new file that stays."""
    hashing = hash_rate(2) / 2
    write, read = write_rate(written, size), read_rate(written)
    return Limits(hashing, 1 / (1 / write + 1 / read), processor_rate())


def write_rate(path: Path, size: int) -> float:
    """Bytes a second of a new file, written past the page cache and synced."""
    piece = slots.buffer(_PIECE)
    piece[:] = os.urandom(_PIECE)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_DIRECT, 0o600)
    try:
        os.posix_fallocate(fd, 0, size)
        started = time.perf_counter()
        for offset in range(0, size, _PIECE):
            os.pwrite(fd, piece, offset)
        os.fsync(fd)
        return size / (time.perf_counter() - started)
    finally:
        os.close(fd)


def read_rate(path: Path) -> float:
    """Bytes a second read past the page cache."""
    piece, done = slots.buffer(_PIECE), 0
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    try:
        started = time.perf_counter()
        while count := os.preadv(fd, [piece], done):
            done += count
        return done / (time.perf_counter() - started)
    finally:
        os.close(fd)


@contextmanager
def new_filesystem() -> Iterator[tuple[Path, str]]:
    """An empty folder on an ext4 made for it, past the page cache of what lies below, and what it is in words.

    Without root it is an ordinary temporary folder.
    """
    with tempfile.TemporaryDirectory() as name:
        folder, image = Path(name) / "mounted", Path(name) / "image"
        folder.mkdir()
        if os.geteuid() != 0:
            yield folder, "a temporary folder"
            return
        with image.open("wb") as file:
            file.truncate(_NEW_SIZE)
        _run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(image))
        device = _run("losetup", "--find", "--show", "--direct-io=on", str(image))
        try:
            _run("mount", device, str(folder))
            try:
                yield folder, "a new ext4 on a loop device"
            finally:
                _run("umount", "--lazy", str(folder))  # a process that ends just now may hold it a moment longer
        finally:
            _run("losetup", "--detach", device)


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

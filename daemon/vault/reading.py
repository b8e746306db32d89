"""Reading a clip from a vault that another program writes: a directory, or a read-only share of one."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from daemon.model.errors import BwcError
from daemon.vault.layout import ClipDirectory, VaultLayout

_SMALL = 16 << 20
"""Largest document read, in bytes."""


class MissingError(BwcError):
    """The vault does not hold what was asked for."""


def find_clip(vault: Path, clip_id: str) -> ClipDirectory:
    """The clip's directory. Raises MissingError when the vault does not hold the clip."""
    clip = VaultLayout(vault).find(clip_id)
    if clip is None:
        raise MissingError(f"{vault}: holds no clip {clip_id}", hint="is --vault the right directory?")
    return clip


def read_document(path: Path) -> bytes:
    """The content of a clip's small file, at most 16 MiB and one byte. Raises MissingError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_SMALL + 1)
    except OSError as error:
        raise MissingError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None


class HashingReader(io.RawIOBase):
    """A reader that hashes every byte that passes through it, in order."""

    def __init__(self, source: BinaryIO) -> None:
        super().__init__()
        self._source = source
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        """As io.RawIOBase."""
        return True

    def readinto(self, buffer: memoryview | bytearray) -> int:  # type: ignore[override]
        """As io.RawIOBase; what was read is hashed."""
        view = memoryview(buffer)
        count = int(self._source.readinto(view))  # type: ignore[attr-defined]
        self._digest.update(view[:count])
        return count

    @property
    def hexdigest(self) -> str:
        """SHA-256 of what was read so far, lowercase hex."""
        return self._digest.hexdigest()


def open_sealed(clip: ClipDirectory) -> BinaryIO:
    """Opens the sealed file for reading, unbuffered. Raises MissingError."""
    try:
        return open(clip.sealed, "rb", buffering=0)  # noqa: PTH123 - Path.open gives a buffered type
    except OSError as error:
        raise MissingError(f"{clip.sealed}: {(error.strerror or 'cannot be read').lower()}") from None


def hash_file(path: Path, progress: Callable[[int], None] = lambda _: None) -> str:
    """SHA-256 of a file, in lowercase hex. `progress` gets the size of each piece in bytes. Raises MissingError."""
    digest, buffer = hashlib.sha256(), memoryview(bytearray(1 << 20))
    try:
        with path.open("rb", buffering=0) as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # read the medium, not the page cache
            while count := file.readinto(buffer):
                digest.update(buffer[:count])
                progress(count)
    except OSError as error:
        raise MissingError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    return digest.hexdigest()


def size_of(path: Path) -> int:
    """A file's size in bytes. Raises MissingError."""
    try:
        return os.stat(path).st_size  # noqa: PTH116 - one call; following a link is safe in our vault
    except OSError as error:
        raise MissingError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None

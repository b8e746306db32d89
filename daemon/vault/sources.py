"""Where a viewer or auditor reads a clip from: a vault's directory, or a dock's replica in object storage."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from daemon.model.errors import TamperedError
from daemon.model.types import is_clip_id
from daemon.vault.layout import ClipDirectory, VaultLayout
from daemon.vault.reading import MissingError, find_clip, open_sealed
from daemon.vault.replica import keys as keys
from daemon.vault.replica import small_files
from daemon.vault.replica.objects import Objects, Stored

_LINES = re.compile(r"custody/[0-9]{12}\.jsonl/", re.ASCII)


class Source(Protocol):
    """A vault to read from. The caller has to verify what it returns."""

    def clip(self, clip_id: str) -> ClipDirectory:
        """The directory with the clip's statements, orders and custody. Raises MissingError."""

    def sealed(self, clip: ClipDirectory, sealed_sha256: str, sealed_bytes: int) -> BinaryIO:
        """The clip's sealed file, to be read once from the start. `sealed_bytes` is its size. Raises MissingError."""


class Directory:
    """A vault's directory, or a share or copy of it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def clip(self, clip_id: str) -> ClipDirectory:
        """See Source."""
        return find_clip(self._root, clip_id)

    def sealed(self, clip: ClipDirectory, sealed_sha256: str, sealed_bytes: int) -> BinaryIO:
        """See Source."""
        if not clip.sealed.exists():
            raise MissingError(
                f"{clip.sealed}: is not there",
                hint="if custody.json says evicted, it is in object storage: give --vault the URL that stands there",
            )
        return open_sealed(clip)


class Replica:
    """A dock's replica in object storage. Small files are fetched into `folder`; sealed files are streamed."""

    def __init__(self, objects: Objects, folder: Path) -> None:
        self.objects = objects
        self._layout = VaultLayout(folder)

    def clip(self, clip_id: str) -> ClipDirectory:
        """See Source. Fetches the clip's small files. Raises also UnavailableError and TamperedError."""
        stored = keys.newest(self.objects.list(keys.clip_prefix(clip_id)), clip_id)
        if stored is None:
            raise MissingError(
                f"{self.objects.url}: holds no clip {clip_id}",
                hint="does --vault end with the dock's id, as in …/central-1?",
            )
        clip = self._layout.clip(clip_id)
        for name, data in small_files.unpack(self._small(stored), what=f"{self.objects.url}/{stored.key}").items():
            path = clip.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return clip

    def sealed(self, clip: ClipDirectory, sealed_sha256: str, sealed_bytes: int) -> BinaryIO:
        """See Source."""
        key = keys.sealed_key(clip.path.name, sealed_sha256)
        return cast(BinaryIO, _Stream(self.objects.read(key, sealed_bytes)))

    def mirror(self) -> VaultLayout:
        """Fetches all clips' small files and the custody log: a vault without sealed files.

        Raises UnavailableError, TamperedError.
        """
        found = {stored.key.split("/")[1] for stored in self.objects.list("clips")}
        for clip_id in sorted(found):
            if is_clip_id(clip_id):
                self.clip(clip_id)
        self._layout.custody.mkdir(parents=True, exist_ok=True)
        pieces = [stored for stored in self.objects.list(keys.LOG) if stored.digest is not None]
        with (self._layout.custody / "0.jsonl").open("wb") as file:
            for line in self._lines(stored for stored in pieces if _LINES.match(stored.key)):
                file.write(line)
        checkpoints = [stored for stored in pieces if stored.key.startswith(f"{keys.LOG}/checkpoint.txt/")]
        if checkpoints:
            self._layout.checkpoint.write_bytes(self._small(max(checkpoints, key=lambda stored: stored.key)))
        return self._layout

    def _lines(self, pieces: Iterable[Stored]) -> Iterator[bytes]:
        """The log's lines in order. After an interrupted copy the same lines may lie there twice, in a longer piece."""
        at = 0
        for stored in sorted(pieces, key=lambda stored: (stored.key.split("/")[1], stored.size)):
            first = int(stored.key.split("/")[1].removesuffix(".jsonl"))
            for number, line in enumerate(self._small(stored).splitlines(keepends=True), first):
                if number == at:
                    at += 1
                    yield line

    def _small(self, stored: Stored) -> bytes:
        if stored.size > small_files.LIMIT:
            raise TamperedError(f"{self.objects.url}/{stored.key}: {stored.size} bytes, too large for such a file")
        return b"".join(self.objects.read(stored.key, stored.size))


class _Stream(io.RawIOBase):
    """A file object over pieces of bytes, to be read once."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview | bytearray) -> int:  # type: ignore[override]
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

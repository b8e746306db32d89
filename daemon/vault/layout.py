"""Where everything lies in a vault directory.

<vault>/clips/<clip_id>/       a sealed clip, complete or absent
<vault>/quarantine/<clip_id>/  the same, for footage that failed a check
<vault>/custody/<first>.jsonl  the custody log's lines, and checkpoint.txt over them
<vault>/incoming/              staging on the same filesystem, swept at start
<vault>/dock.lock              held by the one dock that writes here
"""

from __future__ import annotations

import fcntl
import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from daemon.model.errors import ConfigurationError
from daemon.vault import durable

Place = Literal["clips", "quarantine"]


@dataclass(frozen=True)
class ClipDirectory:
    """One sealed clip's files."""

    path: Path

    @property
    def sealed(self) -> Path:
        """The footage, encrypted (Tink AES256_GCM_HKDF_1MB)."""
        return self.path / "clip.sealed"

    @property
    def seal(self) -> Path:
        """The dock's seal, a DSSE envelope."""
        return self.path / "seal.json"

    @property
    def capture(self) -> Path:
        """The camera's capture, as it was found."""
        return self.path / "capture.json"

    @property
    def custody(self) -> Path:
        """The clip's own custody entries, each with its inclusion proof."""
        return self.path / "custody.json"

    def tag(self, revision: int) -> Path:
        """The tag's revision, from 1."""
        return self.path / "tags" / f"{revision}.json"

    def release(self, order_id: str) -> Path:
        """A release order that was honoured."""
        return self.path / "releases" / f"{order_id}.release.json"

    def revocation(self, order_id: str) -> Path:
        """A revocation of an order."""
        return self.path / "releases" / f"{order_id}.revocation.json"


@dataclass(frozen=True)
class VaultLayout:
    """The directories of one vault."""

    root: Path

    @functools.cached_property
    def incoming(self) -> Path:
        """Clips being taken in; nothing here outlives a restart."""
        return self.root / "incoming"

    @functools.cached_property
    def custody(self) -> Path:
        """The custody log's lines and its checkpoint."""
        return self.root / "custody"

    @property
    def checkpoint(self) -> Path:
        """The signed checkpoint over the custody log's lines."""
        return self.custody / "checkpoint.txt"

    def clip(self, clip_id: str, place: Place = "clips") -> ClipDirectory:
        """Where a clip lies, or would."""
        return ClipDirectory(self.root / place / clip_id)

    def find(self, clip_id: str) -> ClipDirectory | None:
        """The clip's directory, in clips or in quarantine; None when it is in neither."""
        both: tuple[Place, Place] = ("clips", "quarantine")
        return next((found for p in both if (found := self.clip(clip_id, p)).path.is_dir()), None)

    def create(self) -> None:
        """Makes the directories that are missing, durably."""
        for name in ("clips", "quarantine", "custody", "incoming"):
            durable.make_directories(self.root / name)

    def lock(self) -> int:
        """Makes this process the vault's one dock, until it ends. Returns the descriptor that holds the lock.

        Raises ConfigurationError when another dock holds it.
        """
        fd = os.open(self.root / "dock.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise ConfigurationError(f"{self.root}: another dock is using this vault") from None
        return fd

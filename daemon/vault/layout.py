"""What lies where in a vault directory.

<vault>/clips/<clip_id>/       a sealed clip; the directory is complete, or is not there
<vault>/quarantine/<clip_id>/  the same, for footage that failed a check
<vault>/custody/<first>.jsonl  the custody log's lines; checkpoint.txt beside them covers them
<vault>/incoming/              clips being taken in, on the same filesystem; emptied at start
<vault>/dock.lock              locked by the dock that writes here
"""

from __future__ import annotations

import fcntl
import functools
import glob
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from daemon.model.errors import ConfigurationError
from daemon.vault import durable

Place = Literal["clips", "quarantine"]


@dataclass(frozen=True)
class ClipDirectory:
    """The paths of one sealed clip's files."""

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
        """The camera's capture, byte for byte as it was on the camera."""
        return self.path / "capture.json"

    @property
    def custody(self) -> Path:
        """The clip's own custody entries, each with its inclusion proof."""
        return self.path / "custody.json"

    def tag(self, revision: int) -> Path:
        """The tag with this revision; the first is 1."""
        return self.path / "tags" / f"{revision}.json"

    def release(self, order_id: str) -> Path:
        """A release order that the dock accepted."""
        return self.path / "releases" / f"{order_id}.release.json"

    def revocation(self, order_id: str) -> Path:
        """The revocation of a release order."""
        return self.path / "releases" / f"{order_id}.revocation.json"

    def tags(self) -> list[Path]:
        """The tags that are there, sorted by their paths. None when the directory is gone, or goes meanwhile."""
        return self._matching("tags/*.json")

    def orders(self, kind: Literal["release", "revocation", "*"] = "*") -> list[Path]:
        """Release orders, revocations or both, sorted by their paths. One that is being written is not among them."""
        return self._matching(f"releases/*.{kind}.json")

    def _matching(self, pattern: str) -> list[Path]:
        # Path.glob raises when a directory leaves while it looks (until Python 3.13)
        return sorted(self.path / name for name in glob.glob(pattern, root_dir=self.path))  # noqa: PTH207


@dataclass(frozen=True)
class VaultLayout:
    """The directories of one vault."""

    root: Path

    @functools.cached_property
    def incoming(self) -> Path:
        """Clips being taken in. It is emptied at every start."""
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
        """The paths of a clip in `place`, whether it exists or not."""
        return ClipDirectory(self.root / place / clip_id)

    def find(self, clip_id: str) -> ClipDirectory | None:
        """The clip's directory, in clips or in quarantine; None when it is in neither."""
        both: tuple[Place, Place] = ("clips", "quarantine")
        return next((found for p in both if (found := self.clip(clip_id, p)).path.is_dir()), None)

    def create(self) -> None:
        """Creates the directories that are missing, durably. Raises NotDurableError, OSError."""
        for name in ("clips", "quarantine", "custody", "incoming"):
            durable.make_directories(self.root / name)

    def lock(self) -> int:
        """Locks the vault (flock(2)) for this process, until it ends. Returns the file descriptor that holds the lock.

        Raises ConfigurationError when another dock has locked it.
        """
        fd = os.open(self.root / "dock.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise ConfigurationError(f"{self.root}: another dock is using this vault") from None
        return fd

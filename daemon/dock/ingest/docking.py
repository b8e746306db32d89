"""One camera in one bay, its clips as far as this docking has come with them, and the batches they go in."""

from __future__ import annotations

import logging
import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import NamedTuple

from daemon.core.settle import Sighting
from daemon.dock.camera.reader import SealBatch
from daemon.dock.ingest.bay_progress import BayProgress
from daemon.dock.ingest.jobs import CameraSeen, FoundOnCamera, Job, ReadCapture
from daemon.dock.store.rows import HeldClip
from daemon.model.types import is_clip_id
from daemon.vault.space import DiskFullError

log = logging.getLogger(__name__)

RETRY_SECONDS = 15.0
"""How long a clip that could not be read is left alone."""
ROOM_SECONDS = 2.0
"""How long until the dock looks again whether there is room."""


@dataclass
class DockedClip:
    """A clip on this camera."""

    stem: str
    first: Sighting
    last: Sighting
    read: ReadCapture | None = None
    clip_id: str | None = None  # once the dock holds it
    read_here: bool = False  # its bytes were read while this camera was docked, not merely known again
    receipted: bool = False
    done: bool = False  # nothing is left to do about it
    problem: str | None = None
    logged_problem: str | None = None  # the problem that was logged last
    retry_at: float = 0.0

    @property
    def capture(self) -> ReadCapture:
        """As read. It is read first, and kept until the dock holds the clip."""
        if self.read is None:
            raise AssertionError("a clip's capture is read before anything else of it")
        return self.read

    def found(self) -> FoundOnCamera:
        """As it lies there."""
        return FoundOnCamera(self.stem, self.last.footage, self.capture)


@dataclass(frozen=True)
class Docking:
    """Who is docked where, and how far its clips have come. Used by the bay's thread only."""

    bay: str
    camera: CameraSeen
    progress: BayProgress

    def held(self, clip: DockedClip, clip_id: str, *, read_here: bool = False) -> None:
        """The dock holds this clip."""
        clip.clip_id, clip.problem, clip.read, clip.read_here = clip_id, None, None, read_here
        self.progress.held(clip.stem)

    def fail(self, clip: DockedClip, error: Exception) -> None:
        """This clip is left alone for a while; the others go on."""
        pause = ROOM_SECONDS if isinstance(error, DiskFullError) else RETRY_SECONDS
        problem = f"clip {ascii(clip.stem)[1:-1]}: {error}"
        if problem != clip.logged_problem:
            log.warning("bay %s: %s", self.bay, problem, extra=self.fields(clip.clip_id or clip.stem))
        clip.problem = clip.logged_problem = problem
        clip.retry_at = time.monotonic() + pause

    def fields(self, clip_id: str) -> dict[str, str | None]:
        """What the journal finds a clip's words by. A name that is no clip's id is a stranger's, and left out."""
        return {"clip_id": clip_id if is_clip_id(clip_id) else None, "bay": self.bay, "camera": self.camera.serial}


Issued = dict[str, bytes | str]
"""Clips' receipts as files, by clip id; or, in words, what keeps one back."""


class Committed(NamedTuple):
    """A batch's clips as the dock holds them, by the ids they were to get, and their receipts."""

    rows: dict[str, HeldClip]
    receipts: Issued


@dataclass
class IngestBatch:
    """A batch on its way: its clips by the ids they get."""

    number: int
    sealing: SealBatch
    clips: dict[str, tuple[DockedClip, Job]]
    committed: Future[Committed] | None = None

    @property
    def jobs(self) -> list[Job]:
        """Those of its clips that are still taken in."""
        return [job for _, job in self.clips.values()]


class Delivery(NamedTuple):
    """Receipts that the reader is writing."""

    number: int
    clips: list[DockedClip]

"""One camera in one bay, and its clips as far as this docking has come with them."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from dataclasses import dataclass

from daemon.core.settle import Sighting
from daemon.dock.context import Dock
from daemon.dock.ingest import intake, staging
from daemon.dock.ingest.bay_progress import Standing
from daemon.dock.ingest.intake import CameraSeen, Job, ReadCapture
from daemon.dock.loop import Service
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
    said: str | None = None  # the problem that was logged last
    retry_at: float = 0.0

    @property
    def capture(self) -> ReadCapture:
        """As read. It is read first, and kept until the dock holds the clip."""
        if self.read is None:
            raise AssertionError("a clip's capture is read before anything else of it")
        return self.read


@dataclass(frozen=True)
class Docking:
    """Who is docked where, and whom that concerns. Used by the bay's thread only."""

    dock: Dock
    service: Service
    bay: str
    camera: CameraSeen
    standing: Standing

    def held(self, clip: DockedClip, clip_id: str, *, read_here: bool = False) -> None:
        """The dock holds this clip."""
        clip.clip_id, clip.problem, clip.read, clip.read_here = clip_id, None, None, read_here
        self.standing.held(clip.stem)

    def drop(self, jobs: Collection[Job]) -> None:
        """These are not taken in this time: nothing of them is kept."""
        for job in jobs:
            staging.clear(self.dock.vault, job.clip_id)
        self.service.call(lambda: intake.abandon(self.dock, jobs))

    def fail(self, clip: DockedClip, error: Exception) -> None:
        """This clip is left alone for a while; the others go on."""
        pause = ROOM_SECONDS if isinstance(error, DiskFullError) else RETRY_SECONDS
        problem = f"clip {ascii(clip.stem)[1:-1]}: {error}"
        if problem != clip.said:
            log.warning("bay %s: %s", self.bay, problem, extra=self.fields(clip.clip_id or clip.stem))
        clip.problem = clip.said = problem
        clip.retry_at = time.monotonic() + pause

    def fields(self, clip_id: str) -> dict[str, str | None]:
        """What the journal finds a clip's words by. A name that is no clip's id is a stranger's: not among them."""
        return {"clip_id": clip_id if is_clip_id(clip_id) else None, "bay": self.bay, "camera": self.camera.serial}

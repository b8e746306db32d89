"""The way of the clips on one docked camera: settled, sealed, committed, receipted, erased."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from daemon.core.settle import FileStat, Sighting, readiness
from daemon.dock import intake, place, receipts
from daemon.dock.intake import CameraSeen, Composed, Job, ReadCapture
from daemon.dock.reader_handle import CameraHangsError, ReaderGoneError, ReaderHandle
from daemon.dock.standing import Standing
from daemon.dock.state import Dock
from daemon.dock.store import ClipRow
from daemon.model.documents import Bay
from daemon.model.errors import CameraReadError, NotDurableError, UnavailableError
from daemon.vault.space import DiskFullError

log = logging.getLogger(__name__)
T = TypeVar("T")

RETRY_SECONDS = 15.0
"""How long a clip that could not be read is left alone."""
ROOM_SECONDS = 2.0
"""How long until the dock looks again whether there is room."""


class StoppedError(UnavailableError):
    """The service is stopping; what was asked for did not happen."""


class Service(Protocol):
    """What a bay needs of the service: decisions in its transaction, and somewhere to show its standing."""

    def call(self, decide: Callable[[], T]) -> T:
        """Runs `decide` on the service's thread; returns once what it wrote is durable."""

    def show(self, identity: str, bay: Bay) -> None:
        """Publishes a bay's standing; ignored once `identity` is no longer what is docked there."""

    def fail(self, error: BaseException) -> None:
        """Stops the whole dock: something's outcome is unknown."""


@dataclass
class _Clip:
    """A clip on this camera, as far as this docking has come with it."""

    stem: str
    first: Sighting
    last: Sighting
    read: ReadCapture | None = None
    clip_id: str | None = None  # once the dock holds it
    receipted: bool = False
    problem: str | None = None
    retry_at: float = 0.0


class ClipWay:
    """Brings each clip of one docking as far as it goes. Used by the bay's thread only."""

    def __init__(self, dock: Dock, service: Service, bay: str, camera: CameraSeen, standing: Standing) -> None:
        self._dock = dock
        self._service = service
        self._bay = bay
        self._camera = camera
        self._standing = standing
        self._settings = dock.config.ingest
        self._clips: dict[str, _Clip] = {}
        self._looked = False

    @property
    def camera_serial(self) -> str:
        return self._camera.serial

    def see(self, stem: str, footage: list[int], capture: list[int] | None) -> None:
        """One scan's sight of a clip. A clip that changed begins anew."""
        seen = Sighting(FileStat(*footage), FileStat(*capture) if capture else None, time.monotonic())
        clip = self._clips.get(stem)
        if clip is None or (clip.last.footage, clip.last.capture) != (seen.footage, seen.capture):
            self._clips[stem] = _Clip(stem, seen, seen)
        else:
            clip.last = seen
        self._standing.saw(stem, footage[0])

    def note_gone(self, present: set[str]) -> None:
        """Forgets clips no longer on the camera; those with a receipt it has erased, now or since it last docked."""
        gone = [stem for stem in self._clips if stem not in present]
        for stem in gone:
            del self._clips[stem]
            self._standing.gone(stem)
        if gone or not self._looked:
            self._looked = True
            self._service.call(lambda: receipts.record_erased(self._dock, self.camera_serial, present, self._bay))

    def advance(self, handle: ReaderHandle, stem: str) -> str | None:
        """Brings one clip as far as it goes now. Returns what it waits for; None when the camera may erase it."""
        clip = self._clips[stem]
        if clip.receipted:
            return None
        if time.monotonic() < clip.retry_at:
            return clip.problem
        try:
            clip.problem = self._take_in(handle, clip) or self._receipt(handle, clip)
        except (ReaderGoneError, CameraHangsError, StoppedError):
            raise
        except (CameraReadError, UnavailableError) as error:
            pause = ROOM_SECONDS if isinstance(error, DiskFullError) else RETRY_SECONDS
            problem = f"clip {ascii(stem)[1:-1]}: {error}"
            if problem != clip.problem:
                log.warning("bay %s: %s", self._bay, problem, extra={"bay": self._bay})
            clip.problem, clip.retry_at = problem, time.monotonic() + pause
        return clip.problem

    def _take_in(self, handle: ReaderHandle, clip: _Clip) -> str | None:
        if clip.clip_id is not None:
            return None
        if clip.read is None:
            clip.read = self._read_capture(handle, clip)
        settings, read = self._settings, clip.read
        ready = readiness(clip.first, clip.last, read.size, settings.orphan_seconds, settings.settle_seconds)
        if ready == "waiting":
            return "waiting for the camera to finish writing" if read.problem is None else read.problem
        stat = clip.last.footage
        if stat.size > settings.max_clip_bytes:  # before room is sought for it: the disk is not to blame
            raise CameraReadError(f"{stat.size} bytes, more than the {settings.max_clip_bytes} a clip may have")
        footage = (stat.size, stat.mtime_ns, stat.ctime_ns)
        found = self._service.call(
            lambda: intake.prepare(self._dock, self._bay, self._camera, clip.stem, footage, read)
        )
        clip.clip_id = found.clip_id if isinstance(found, ClipRow) else self._seal(handle, found, read)
        self._standing.held(clip.stem)
        return None

    def _read_capture(self, handle: ReaderHandle, clip: _Clip) -> ReadCapture:
        now = self._dock.now()
        if clip.last.capture is None:
            return intake.read_capture(self._dock, None, self._camera, clip.stem, now)
        try:
            data = handle.capture(clip.stem)
        except (ReaderGoneError, CameraHangsError):
            raise
        except CameraReadError as error:  # a capture that is a link, too large, unreadable
            return ReadCapture("unusable", None, None, None, str(error))
        return intake.read_capture(self._dock, data, self._camera, clip.stem, now)

    def _seal(self, handle: ReaderHandle, job: Job, read: ReadCapture) -> str:
        """Seals, settles and commits one clip; returns its id. What fails before it is settled leaves no trace."""
        dock = self._dock
        self._standing.reading(0)
        try:
            place.stage(dock.vault, job.clip_id, job.footage[0], self._settings.reserve_bytes)
            answer = handle.seal(job.command(dock), self._standing.reading)
            composed = self._service.call(lambda: intake.compose(dock, job, read, answer))
            if isinstance(composed, ClipRow):
                self._drop(job)
                return composed.clip_id
            place.settle(dock.vault, job.clip_id, composed)
        except (CameraReadError, DiskFullError):
            self._drop(job)
            raise
        row = self._commit(job, composed, read)
        fields = {"clip_id": row.clip_id, "bay": job.bay, "camera": job.camera_serial}
        log.info("took in clip %s: %s, %d bytes", row.clip_id, row.integrity, job.footage[0], extra=fields)
        return row.clip_id

    def _commit(self, job: Job, composed: Composed, read: ReadCapture) -> ClipRow:
        """The commit point. The clip lies in its place already: if this fails, only a restart can tell what is true."""
        try:
            return self._service.call(lambda: intake.commit(self._dock, job, composed.seal, composed.tag, read.capture))
        except StoppedError:
            raise
        except Exception as error:
            raise NotDurableError(f"clip {job.clip_id} is in the vault, but its commit failed: {error}") from error

    def _drop(self, job: Job) -> None:
        place.clear(self._dock.vault, job.clip_id)
        self._service.call(lambda: intake.abandon(self._dock, job))

    def _receipt(self, handle: ReaderHandle, clip: _Clip) -> str | None:
        clip_id = clip.clip_id
        if clip_id is None:
            raise AssertionError("a receipt is for a clip that the dock holds")
        found = self._service.call(lambda: receipts.issue(self._dock, clip_id))
        if isinstance(found, str):
            return found
        handle.receipt(clip.stem, found)
        self._service.call(lambda: receipts.record(self._dock, clip_id, self._bay))
        clip.receipted = True
        return None

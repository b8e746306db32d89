"""The way of the clips on one docked camera: settled, sealed, committed, receipted, erased."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from daemon.core.order import Waiting, batches
from daemon.core.settle import FileStat, Sighting, readiness
from daemon.dock import erasing, intake, place, receipts
from daemon.dock.intake import CameraSeen, Composed, Job, ReadCapture
from daemon.dock.reader_handle import Batch, ReaderHandle
from daemon.dock.standing import Standing
from daemon.dock.state import Dock
from daemon.dock.store import ClipRow
from daemon.dock.turns import Turns
from daemon.model.documents import Bay
from daemon.model.errors import CameraReadError, NotDurableError, UnavailableError
from daemon.model.types import is_clip_id
from daemon.seal.stream import sealed_size
from daemon.vault.space import DiskFullError

log = logging.getLogger(__name__)
T = TypeVar("T")

RETRY_SECONDS = 15.0
"""How long a clip that could not be read is left alone."""
ROOM_SECONDS = 2.0
"""How long until the dock looks again whether there is room."""
WRITING = "waiting for the camera to finish writing"
_WINDOW, _RECEIPTS = 1000, 64
_LOOK_AGAIN_SECONDS = 60.0


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
    read_here: bool = False  # its bytes were read while this camera was docked, not merely known again
    receipted: bool = False
    done: bool = False  # nothing is left to do about it
    problem: str | None = None
    said: str | None = None  # the problem that was logged last
    retry_at: float = 0.0


@dataclass
class _UnderWay:
    """A batch from its first byte to its receipts: the clips by the ids they get."""

    number: int
    batch: Batch
    clips: dict[str, tuple[_Clip, Job]]

    @property
    def jobs(self) -> list[Job]:
        return [job for _, job in self.clips.values()]


class ClipWay:
    """Brings each clip of one docking as far as it goes. Used by the bay's thread only."""

    def __init__(
        self, dock: Dock, service: Service, bay: str, camera: CameraSeen, standing: Standing, turns: Turns
    ) -> None:
        self._dock = dock
        self._turns = turns
        self._paced: tuple[ReaderHandle | None, float] = (None, 0.0)
        self._service = service
        self._bay = bay
        self._camera = camera
        self._standing = standing
        self._settings = dock.config.ingest
        self._clips: dict[str, _Clip] = {}
        self._batches = 0
        self._looked = False

    @property
    def camera_serial(self) -> str:
        return self._camera.serial

    @property
    def left_there(self) -> str | None:
        """Why clips are still on the camera though all are safe here, where its own erasing is not what is awaited."""
        here = [clip for clip in self._clips.values() if clip.clip_id is not None]
        if not here or self._settings.erase == "receipt":
            return None
        if self._settings.erase == "never":
            return "kept on the camera: this dock lets nothing be erased"
        waiting = sum(not clip.done for clip in here)
        return f"safe to undock; clips still to be erased when their time comes: {waiting}" if waiting else None

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
            self._service.call(lambda: erasing.record_gone(self._dock, self.camera_serial, present, self._bay))

    def advance(self, handle: ReaderHandle, stopping: Callable[[], bool] = lambda: False) -> set[str]:
        """Brings every clip as far as it goes now. Returns what they wait for; nothing when all are safe here."""
        for clips in self._windows():
            self._take_in(handle, [clip for clip in clips if clip.clip_id is None], stopping)
            self._receipt(handle, [clip for clip in clips if clip.clip_id is not None and not clip.receipted])
            if stopping():
                break
            if self._settings.erase == "dock":
                self._erase(handle, [clip for clip in clips if clip.receipted])
        return {clip.problem for clip in self._clips.values() if clip.problem is not None}

    def _windows(self) -> Iterator[list[_Clip]]:
        """The clips that something can be done about, not too many at a time."""
        now = time.monotonic()
        due = [clip for clip in self._clips.values() if not clip.done and now >= clip.retry_at]
        for start in range(0, len(due), _WINDOW):
            yield due[start : start + _WINDOW]

    def _take_in(self, handle: ReaderHandle, clips: list[_Clip], stopping: Callable[[], bool]) -> None:
        """While one batch is read back, settled and receipted, the next is read from the camera."""
        self._read_captures(handle, [clip for clip in clips if clip.read is None])
        under_way: list[_UnderWay] = []
        try:
            for batch in batches(self._waiting([clip for clip in clips if self._ready(clip)])):
                if stopping():
                    break
                if under_way and not self._turns.free(batch[-1].urgency):  # what is read already need not wait
                    self._finish_first(handle, under_way)
                with self._turns.turn(batch[-1].urgency, stopping):
                    begun = self._begin(handle, [waiting.clip for waiting in batch])
                    if begun is None:
                        continue
                    under_way.append(begun)
                    if len(under_way) > 1:
                        self._finish_first(handle, under_way)
                    handle.written(begun.batch)
            while under_way:
                self._finish_first(handle, under_way)
        except CameraReadError:  # the reader is gone, and what it had not finished with it
            for begun in under_way:
                self._standing.ended(begun.number)
                self._drop(begun.jobs)
            raise

    def _read_captures(self, handle: ReaderHandle, clips: list[_Clip]) -> None:
        now = self._dock.now()
        found = handle.captures([clip.stem for clip in clips if clip.last.capture is not None]) if clips else {}
        for clip in clips:
            data = found.get(clip.stem)
            if isinstance(data, CameraReadError):  # a capture that is a link, too large, unreadable
                clip.read = ReadCapture("unusable", None, None, None, str(data))
            else:
                clip.read = intake.read_capture(self._dock, data, self._camera, clip.stem, now)

    def _ready(self, clip: _Clip) -> bool:
        """Whether nobody writes it any more, and it may be taken in at all."""
        settings, read = self._settings, _read(clip)
        ready = readiness(clip.first, clip.last, read.size, settings.orphan_seconds, settings.settle_seconds)
        size = clip.last.footage.size
        if ready == "waiting":
            clip.problem = WRITING if read.problem is None else read.problem
        elif size > settings.max_clip_bytes:  # before room is sought for it: the disk is not to blame
            self._fail(clip, CameraReadError(f"{size} bytes, more than the {settings.max_clip_bytes} a clip may have"))
        else:
            return True
        return False

    def _waiting(self, clips: list[_Clip]) -> list[Waiting[_Clip]]:
        """With what decides their order."""
        if not clips:
            return []
        reads = [_read(clip) for clip in clips]
        sent = self._service.call(lambda: [intake.dispatched(self._dock, read, self._camera) for read in reads])
        return [
            Waiting(clip, clip.last.footage.size, read.capture.trigger_on if read.capture else None, dispatched)
            for clip, read, dispatched in zip(clips, reads, sent, strict=True)
        ]

    def _begin(self, handle: ReaderHandle, clips: list[_Clip]) -> _UnderWay | None:
        """Notes what is to be taken in and has the reader begin; None when there is nothing left to read."""
        found = self._service.call(lambda: [self._prepare(clip) for clip in clips])
        jobs: dict[str, tuple[_Clip, Job]] = {}
        for clip, job in zip(clips, found, strict=True):
            if isinstance(job, ClipRow):
                self._held(clip, job.clip_id)
                continue
            try:
                place.stage(self._dock.vault, job.clip_id, job.footage[0], self._settings.reserve_bytes)
            except DiskFullError as error:
                self._dock.want_room(sealed_size(job.footage[0]) + self._settings.reserve_bytes)
                self._drop([job])
                self._fail(clip, error)
            else:
                jobs[job.clip_id] = (clip, job)
        if not jobs:
            return None
        commands = [job.command(self._dock) for _, job in jobs.values()]
        self._batches += 1
        number = self._batches

        def progress(done: int) -> None:
            self._dock.metrics.read(done - self._standing.read(number))
            self._standing.reading(number, done)
            self._keep_pace(handle)

        try:
            self._keep_pace(handle)
            batch = handle.begin(commands, progress)
        except CameraReadError:  # the reader has gone since it was asked last
            self._drop([job for _, job in jobs.values()])
            raise
        self._standing.reading(number, 0)
        return _UnderWay(number, batch, jobs)

    def _keep_pace(self, handle: ReaderHandle) -> None:
        pace = self._turns.bytes_per_second()
        before = self._paced[1] if self._paced[0] is handle else 0.0
        if pace != before:
            self._paced = (handle, pace)
            handle.pace(pace)

    def _prepare(self, clip: _Clip) -> Job | ClipRow:
        stat = clip.last.footage
        footage = (stat.size, stat.mtime_ns, stat.ctime_ns)
        return intake.prepare(self._dock, self._bay, self._camera, clip.stem, footage, _read(clip))

    def _finish_first(self, handle: ReaderHandle, under_way: list[_UnderWay]) -> None:
        """It counts as under way until it is finished: should its reader go, it is among what is dropped."""
        self._finish(handle, under_way[0])
        under_way.pop(0)

    def _finish(self, handle: ReaderHandle, begun: _UnderWay) -> None:
        """Settles, commits and receipts a batch. What fails before it is settled leaves no trace."""
        answers: dict[str, Any] = {}
        for (clip_id, (clip, job)), answer in zip(list(begun.clips.items()), handle.results(begun.batch), strict=True):
            if isinstance(answer, (CameraReadError, UnavailableError)):
                del begun.clips[clip_id]
                self._drop([job])
                self._fail(clip, answer)
            elif isinstance(answer, Exception):
                raise answer
            else:
                answers[clip_id] = answer
        self._measure(begun, answers)
        composed = self._compose(begun, answers)
        if composed:
            try:
                place.settle(self._dock.vault, composed)
            except DiskFullError as error:
                self._drop(begun.jobs)
                for clip, _ in begun.clips.values():
                    self._fail(clip, error)
                begun.clips.clear()
            else:
                self._commit(begun, composed)
        self._standing.ended(begun.number)
        held = [clip for clip, _ in begun.clips.values()]
        begun.clips.clear()
        self._receipt(handle, held)

    def _measure(self, begun: _UnderWay, answers: dict[str, Any]) -> None:
        """Progress is told now and then: what came after the last word is counted here."""
        whole = sum(job.footage[0] for job in begun.jobs)
        self._dock.metrics.read(max(0, whole - self._standing.read(begun.number)))
        for answer in answers.values():
            self._dock.metrics.sealed(answer["sealed"]["sync_seconds"], answer["sealed"]["read_back_seconds"])

    def _compose(self, begun: _UnderWay, answers: dict[str, Any]) -> dict[str, Composed]:
        """The dock's statements about each clip; those it holds already are dropped."""
        dock = self._dock

        def compose() -> list[Composed | ClipRow]:
            return [intake.compose(dock, job, _read(clip), answers[name]) for name, (clip, job) in begun.clips.items()]

        composed = {}
        for (clip_id, (clip, job)), one in zip(list(begun.clips.items()), self._service.call(compose), strict=True):
            if isinstance(one, ClipRow):
                del begun.clips[clip_id]
                self._drop([job])
                self._held(clip, one.clip_id, read_here=True)
            else:
                composed[clip_id] = one
        return composed

    def _commit(self, begun: _UnderWay, composed: dict[str, Composed]) -> None:
        """The commit point. The clips lie in their places: if this fails, only a restart can tell what is true."""
        dock = self._dock

        def commit() -> list[ClipRow]:
            return [
                intake.commit(dock, job, composed[name].seal, composed[name].tag, _read(clip).capture)
                for name, (clip, job) in begun.clips.items()
            ]

        try:
            rows = self._service.call(commit)
        except StoppedError:
            raise
        except Exception as error:
            names = ", ".join(composed)
            raise NotDurableError(f"in the vault, but the commit failed ({error}): clips {names}") from error
        for (clip, job), row in zip(begun.clips.values(), rows, strict=True):
            self._held(clip, row.clip_id, read_here=True)
            words = "took in clip %s: %s, %d bytes"
            log.info(words, row.clip_id, row.integrity, job.footage[0], extra=self._fields(row.clip_id))

    def _held(self, clip: _Clip, clip_id: str, *, read_here: bool = False) -> None:
        clip.clip_id, clip.problem, clip.read, clip.read_here = clip_id, None, None, read_here
        self._standing.held(clip.stem)

    def _drop(self, jobs: list[Job]) -> None:
        for job in jobs:
            place.clear(self._dock.vault, job.clip_id)
        self._service.call(lambda: intake.abandon(self._dock, jobs))

    def _receipt(self, handle: ReaderHandle, clips: list[_Clip]) -> None:
        """Receipts for clips that the dock holds, those that may have one now; with `erase = "never"`, none."""
        if self._settings.erase == "never":
            for clip in clips:
                clip.done = True
            return
        for start in range(0, len(clips), _RECEIPTS):
            self._receipt_some(handle, clips[start : start + _RECEIPTS])

    def _receipt_some(self, handle: ReaderHandle, clips: list[_Clip]) -> None:
        dock, bay = self._dock, self._bay
        names = [clip.clip_id for clip in clips if clip.clip_id is not None]
        issued = self._service.call(lambda: [receipts.issue(dock, name) for name in names])
        given = {}
        for clip, receipt in zip(clips, issued, strict=True):
            if isinstance(receipt, str):
                clip.problem = receipt
            else:
                given[clip.stem] = receipt
        failed = handle.receipts(given) if given else {}
        written = [clip for clip in clips if clip.stem in given and clip.stem not in failed]
        done = [clip.clip_id for clip in written if clip.clip_id is not None]
        if done:
            self._service.call(lambda: receipts.record(dock, done, bay))
        for clip in written:
            clip.receipted, clip.problem, clip.done = True, None, self._settings.erase == "receipt"
        for clip in clips:
            if clip.stem in failed:
                self._fail(clip, failed[clip.stem])

    def _fields(self, clip_id: str) -> dict[str, str | None]:
        """What the journal finds a clip's words by. A name that is no clip's id is a stranger's: not among them."""
        return {"clip_id": clip_id if is_clip_id(clip_id) else None, "bay": self._bay, "camera": self.camera_serial}

    def _erase(self, handle: ReaderHandle, clips: list[_Clip]) -> None:
        """Deletes clips whose receipts are durable on this camera, once their time has come."""
        for start in range(0, len(clips), _RECEIPTS):
            self._erase_some(handle, clips[start : start + _RECEIPTS])

    def _erase_some(self, handle: ReaderHandle, clips: list[_Clip]) -> None:
        found = [erasing.Found(clip.stem, clip.clip_id or "", clip.last.footage, clip.read_here) for clip in clips]
        outcomes = erasing.erase(self._dock, self._service.call, handle, self._bay, found)
        for clip in clips:
            outcome = outcomes[clip.stem]
            clip.problem, clip.done = None, outcome is None or isinstance(outcome, CameraReadError)
            if isinstance(outcome, datetime):
                later = (outcome - self._dock.now()).total_seconds()
                clip.retry_at = time.monotonic() + min(later, _LOOK_AGAIN_SECONDS)
            elif outcome is not None:
                self._fail(clip, outcome)

    def _fail(self, clip: _Clip, error: Exception) -> None:
        """This clip is left alone for a while; the others go on."""
        pause = ROOM_SECONDS if isinstance(error, DiskFullError) else RETRY_SECONDS
        problem = f"clip {ascii(clip.stem)[1:-1]}: {error}"
        if problem != clip.said:
            log.warning("bay %s: %s", self._bay, problem, extra=self._fields(clip.clip_id or clip.stem))
        clip.problem = clip.said = problem
        clip.retry_at = time.monotonic() + pause


def _read(clip: _Clip) -> ReadCapture:
    if clip.read is None:
        raise AssertionError("a clip's capture is read first, and kept until the dock holds the clip")
    return clip.read

"""A batch of clips from its first byte to the commit point. What fails before it is settled leaves no trace."""

from __future__ import annotations

import logging
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

from daemon.dock.camera.handle import Batch, ReaderHandle
from daemon.dock.ingest import intake, staging
from daemon.dock.ingest.docking import DockedClip, Docking
from daemon.dock.ingest.intake import Job
from daemon.dock.ingest.read_turns import Turns
from daemon.dock.ingest.receipt_delivery import Issued
from daemon.dock.ingest.settling import Sealed, Settled, Settling
from daemon.dock.store.store import ClipRow
from daemon.model.errors import CameraReadError, UnavailableError
from daemon.seal.stream import sealed_size
from daemon.vault.space import DiskFullError

log = logging.getLogger(__name__)


@dataclass
class UnderWay:
    """A batch being taken in: the clips by the ids they get."""

    number: int
    batch: Batch
    clips: dict[str, tuple[DockedClip, Job]]
    settling: Future[Settled] | None = None

    @property
    def jobs(self) -> list[Job]:
        return [job for _, job in self.clips.values()]


class TakingIn:
    """Brings one docking's batches into the vault. Used by the bay's thread only."""

    def __init__(self, docking: Docking, turns: Turns, settling: Settling, helper: Executor) -> None:
        """`helper` settles batches beside the bay's thread."""
        self._docking = docking
        self._settling = settling
        self._helper = helper
        self._dock = docking.dock
        self._service = docking.service
        self._turns = turns
        self._paced: tuple[ReaderHandle | None, float] = (None, 0.0)
        self._batches = 0

    def begin(self, handle: ReaderHandle, clips: list[DockedClip]) -> UnderWay | None:
        """Notes what is to be taken in and has the reader begin; None when there is nothing left to read."""
        found = self._service.call(lambda: [self._prepare(clip) for clip in clips])
        jobs: dict[str, tuple[DockedClip, Job]] = {}
        for clip, job in zip(clips, found, strict=True):
            if isinstance(job, ClipRow):
                self._docking.held(clip, job.clip_id)
            elif self._stage(clip, job):
                jobs[job.clip_id] = (clip, job)
        if not jobs:
            return None
        self._batches += 1
        number, standing = self._batches, self._docking.standing

        def progress(done: int) -> None:
            self._dock.metrics.read(done - standing.read(number))
            standing.reading(number, done)
            self._keep_pace(handle)

        begun = [job for _, job in jobs.values()]
        try:
            self._keep_pace(handle)
            recipients = intake.recipients_of(self._dock)
            batch = handle.begin([job.command(self._dock, recipients) for job in begun], progress)
        except CameraReadError:  # the reader has gone since it was asked last
            self._docking.drop(begun)
            raise
        standing.reading(number, 0)
        return UnderWay(number, batch, jobs)

    def settle(self, handle: ReaderHandle, begun: UnderWay) -> None:
        """Waits until the reader has sealed a batch, and has it settled and committed beside this thread.

        Raises ReaderGoneError before anything is settled; NotDurableError when nobody knows what is on the medium.
        """
        answers = self._answers(handle, begun)
        self._measure(begun, answers)
        sealed = [Sealed(job, clip.capture, answers[clip_id]) for clip_id, (clip, job) in begun.clips.items()]
        begun.settling = self._helper.submit(self._settling.settle, sealed)

    def conclude(self, begun: UnderWay) -> tuple[list[DockedClip], Issued]:
        """Waits until a batch is committed. Returns its clips that the dock holds now, and their receipts.

        Raises NotDurableError when nobody knows what is on the medium.
        """
        if begun.settling is None:
            raise AssertionError("a batch is settled before it is concluded")
        docking, standing = self._docking, self._docking.standing
        held: list[DockedClip] = []
        receipts: Issued = {}
        try:
            rows, receipts = begun.settling.result()
        except DiskFullError as error:
            docking.drop(begun.jobs)
            for clip, _ in begun.clips.values():
                docking.fail(clip, error)
        else:
            for clip_id, (clip, job) in begun.clips.items():
                row = rows[clip_id]
                docking.held(clip, row.clip_id, read_here=True)
                held.append(clip)
                if row.clip_id == clip_id:
                    words, fields = "took in clip %s: %s, %d bytes", docking.fields(clip_id)
                    log.info(words, clip_id, row.integrity, job.footage[0], extra=fields)
        standing.ended(begun.number)
        return held, receipts

    def give_up(self, begun: UnderWay) -> None:
        """The reader is gone, and what it had not finished with it."""
        self._docking.standing.ended(begun.number)
        self._docking.drop(begun.jobs)

    def _prepare(self, clip: DockedClip) -> Job | ClipRow:
        stat, docking = clip.last.footage, self._docking
        footage = (stat.size, stat.mtime_ns, stat.ctime_ns)
        return intake.prepare(self._dock, docking.bay, docking.camera, clip.stem, footage, clip.capture)

    def _stage(self, clip: DockedClip, job: Job) -> bool:
        """Whether there is room for it."""
        reserve = self._dock.config.ingest.reserve_bytes
        try:
            staging.stage(self._dock.vault, job.clip_id, job.footage[0], reserve)
        except DiskFullError as error:
            self._dock.want_room(sealed_size(job.footage[0]) + reserve)
            self._docking.drop([job])
            self._docking.fail(clip, error)
            return False
        return True

    def _keep_pace(self, handle: ReaderHandle) -> None:
        pace = self._turns.bytes_per_second()
        before = self._paced[1] if self._paced[0] is handle else 0.0
        if pace != before:
            self._paced = (handle, pace)
            handle.pace(pace)

    def _answers(self, handle: ReaderHandle, begun: UnderWay) -> dict[str, Any]:
        """What the reader says of each clip that it sealed; the others are dropped."""
        answers: dict[str, Any] = {}
        for (clip_id, (clip, job)), answer in zip(list(begun.clips.items()), handle.results(begun.batch), strict=True):
            if isinstance(answer, (CameraReadError, UnavailableError)):
                del begun.clips[clip_id]
                self._docking.drop([job])
                self._docking.fail(clip, answer)
            elif isinstance(answer, Exception):
                raise answer
            else:
                answers[clip_id] = answer
        return answers

    def _measure(self, begun: UnderWay, answers: dict[str, Any]) -> None:
        """Progress is told now and then: what came after the last word is counted here."""
        whole = sum(job.footage[0] for job in begun.jobs)
        self._dock.metrics.read(max(0, whole - self._docking.standing.read(begun.number)))
        for answer in answers.values():
            self._dock.metrics.sealed(answer["sealed"]["sync_seconds"], answer["sealed"]["read_back_seconds"])

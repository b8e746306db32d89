"""The life of a batch of clips, from the camera to the receipt on it.

The durable steps, in order. What fails before step 4 leaves no trace; the clip is still on its camera:

  1 prepare      who each clip is, noted in the store; room reserved in the vault's incoming/
  2 seal         the reader hashes and encrypts each clip, makes it durable, reads it back, and forgets the key
  3 sign         the dock's statements about each clip: its seal and its first tag
  4 move         statements written beside the sealed file, one sync, the directory renamed into its place
  5 commit       state, custody entries and notice in one transaction: the commit point
  6 issue        a receipt for each clip that may have one
  7 deliver      receipts durable on the camera
  8 record       that they are: only now may the camera erase

Batches overlap: while one is read from the camera, the one before is read back from the medium, the one before that is
moved and committed (steps 3 to 6, on a helper's thread), and receipts of the one before that are written.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor

from daemon.core.read_order import MOST_TOGETHER
from daemon.dock.camera.messages import SealResult
from daemon.dock.camera.reader import Reader
from daemon.dock.ingest import staging
from daemon.dock.ingest.docking import Committed, Delivery, DockedClip, Docking, IngestBatch, Issued
from daemon.dock.ingest.jobs import Job, SealedClip, SignedClip
from daemon.dock.ingest.ledger import IngestLedger
from daemon.dock.ingest.read_turns import ReadTurns
from daemon.dock.loop import StoppedError
from daemon.dock.store.rows import HeldClip
from daemon.model.errors import CameraReadError, NotDurableError, UnavailableError
from daemon.seal.stream import sealed_size
from daemon.vault.space import DiskFullError

log = logging.getLogger(__name__)


class BatchIngest:
    """The batches of one docking, as one reader seals them. Used by the bay's thread only.

    Its methods raise ReaderGoneError when that reader ends, NotDurableError when nobody knows what is on the medium.
    """

    def __init__(
        self, ledger: IngestLedger, docking: Docking, reader: Reader, turns: ReadTurns, helper: Executor
    ) -> None:
        """`helper` does steps 3 to 6 beside the bay's thread."""
        self.reader = reader
        self._docking = docking
        self._ledger = ledger
        self._turns = turns
        self._helper = helper
        self._erase = ledger.settings.erase
        self._begun = 0
        self._pace = 0.0
        self._reading: deque[IngestBatch] = deque()  # at step 2
        self._committing: deque[IngestBatch] = deque()  # at steps 3 to 6
        self._deliveries: deque[Delivery | None] = deque()  # at step 7

    def add(self, clips: Sequence[DockedClip]) -> None:
        """Takes in one more batch; returns once the camera is free for the next."""
        batch = self._begin(clips)
        if batch is None:
            return
        self._reading.append(batch)
        if len(self._reading) > 1:
            self._commit_first()
        self.reader.await_written(batch.sealing)

    def finish(self) -> None:
        """Returns once every batch has come to its end."""
        while self._reading:
            self._commit_first()
        while self._committing:
            self._deliver_first()
        while self._deliveries:
            self._record_delivery(self._deliveries.popleft())

    def give_up(self) -> None:
        """The reader is gone: what was sealed by then is taken in all the same, the rest is dropped."""
        while self._committing:
            self._await_commit(self._committing.popleft())
        while self._reading:
            batch = self._reading.popleft()
            self._docking.progress.ended(batch.number)
            self._ledger.drop(batch.jobs)
        self._deliveries.clear()

    def deliver(self, clips: Sequence[DockedClip]) -> None:
        """Receipts for clips that the dock holds already, those that may have one now (steps 6 to 8)."""
        for start in range(0, len(clips), MOST_TOGETHER):
            some = clips[start : start + MOST_TOGETHER]
            issued = self._issue([clip.clip_id for clip in some if clip.clip_id is not None])
            self._record_delivery(self._begin_delivery(some, issued))

    # steps 1 and 2

    def _begin(self, clips: Sequence[DockedClip]) -> IngestBatch | None:
        """None when there is nothing left to read."""
        jobs: dict[str, tuple[DockedClip, Job]] = {}
        found = self._ledger.prepare(self._docking.bay, self._docking.camera, [clip.found() for clip in clips])
        for clip, job in zip(clips, found, strict=True):
            if isinstance(job, HeldClip):
                self._docking.held(clip, job.clip_id)
            elif self._reserve(clip, job):
                jobs[job.clip_id] = (clip, job)
        if not jobs:
            return None
        self._begun += 1
        number, progress = self._begun, self._docking.progress

        def report(done: int) -> None:
            self._ledger.metrics.read(done - progress.read(number))
            progress.reading(number, done)
            self._keep_pace()

        begun = [job for _, job in jobs.values()]
        try:
            self._keep_pace()
            recipients, dock_id = self._ledger.recipients(), self._ledger.dock_id
            requests = [job.request(self._ledger.vault, dock_id, recipients) for job in begun]
            sealing = self.reader.begin(requests, report)
        except CameraReadError:  # the reader has gone since it was asked last
            self._ledger.drop(begun)
            raise
        progress.reading(number, 0)
        return IngestBatch(number, sealing, jobs)

    def _reserve(self, clip: DockedClip, job: Job) -> bool:
        """Whether there is room for it."""
        spare = self._ledger.settings.reserve_bytes
        try:
            staging.reserve(self._ledger.vault, job.clip_id, job.footage.size, spare)
        except DiskFullError as error:
            self._ledger.want_room(sealed_size(job.footage.size) + spare)
            self._ledger.drop([job])
            self._docking.fail(clip, error)
            return False
        return True

    def _keep_pace(self) -> None:
        pace = self._turns.bytes_per_second()
        if pace != self._pace:
            self._pace = pace
            self.reader.set_pace(pace)

    def _await_sealed(self, batch: IngestBatch) -> list[SealedClip]:
        """The clips that the reader has sealed; the others are dropped."""
        whole = sum(job.footage.size for job in batch.jobs)
        sealed = []
        results = self.reader.await_results(batch.sealing)
        for (clip_id, (clip, job)), result in zip(list(batch.clips.items()), results, strict=True):
            if isinstance(result, SealResult):
                sealed.append(SealedClip(job, clip.capture, result))
                self._ledger.metrics.sealed(result.sealed.sync_seconds, result.sealed.read_back_seconds)
            elif isinstance(result, (CameraReadError, UnavailableError)):
                del batch.clips[clip_id]
                whole -= job.footage.size
                self._ledger.drop([job])
                self._docking.fail(clip, result)
            else:
                raise result
        # progress is told now and then: what came since it was told last is counted here
        self._ledger.metrics.read(max(0, whole - self._docking.progress.read(batch.number)))
        return sealed

    # steps 3 to 6

    def _commit_first(self) -> None:
        """It counts as being read until it is sealed, so that it is given up too if its reader ends."""
        batch = self._reading[0]
        batch.committed = self._helper.submit(self._take_in, self._await_sealed(batch))
        self._committing.append(self._reading.popleft())
        if len(self._committing) > 1:
            self._deliver_first()

    def _take_in(self, sealed: Sequence[SealedClip]) -> Committed:
        """On a helper's thread: it waits for the medium again and again.

        Raises DiskFullError before anything of the batch is moved; NotDurableError when nobody knows what is on the
        medium: that stops the dock at once, because the bay's thread may be waiting for its camera.
        """
        try:
            rows = self._move_and_commit(sealed)
        except NotDurableError as error:
            self._ledger.fail(error)
            raise
        return Committed(rows, self._issue([row.clip_id for row in rows.values()]))

    def _move_and_commit(self, sealed: Sequence[SealedClip]) -> dict[str, HeldClip]:
        rows: dict[str, HeldClip] = {}
        known: list[Job] = []
        new: list[SignedClip] = []
        for clip, signed in zip(sealed, self._ledger.sign_statements(sealed), strict=True):  # 3
            if isinstance(signed, HeldClip):
                rows[clip.job.clip_id] = signed
                known.append(clip.job)
            else:
                new.append(signed)
        if known:
            self._ledger.drop(known)
        if new:
            staging.move_into_place(self._ledger.vault, new)  # 4
            rows |= self._commit(new)  # 5
        return rows

    def _commit(self, clips: Sequence[SignedClip]) -> dict[str, HeldClip]:
        """The commit point. The clips lie in their places: if this fails, only a restart can tell what is true."""
        try:
            return {row.clip_id: row for row in self._ledger.commit(clips)}
        except StoppedError:
            raise
        except Exception as error:
            names = ", ".join(clip.job.clip_id for clip in clips)
            raise NotDurableError(f"in the vault, but the commit failed ({error}): clips {names}") from error

    def _issue(self, clip_ids: Sequence[str]) -> Issued:
        return {} if self._erase == "never" else self._ledger.issue_receipts(clip_ids)

    def _await_commit(self, batch: IngestBatch) -> tuple[list[DockedClip], Issued]:
        """The batch's clips that the dock holds now, and their receipts."""
        if batch.committed is None:
            raise AssertionError("a batch is sealed before its commit is awaited")
        held: list[DockedClip] = []
        receipts: Issued = {}
        try:
            rows, receipts = batch.committed.result()
        except DiskFullError as error:
            self._ledger.drop(batch.jobs)
            for clip, _ in batch.clips.values():
                self._docking.fail(clip, error)
        else:
            for clip_id, (clip, job) in batch.clips.items():
                row = rows[clip_id]
                self._docking.held(clip, row.clip_id, read_here=True)
                held.append(clip)
                if row.clip_id == clip_id:
                    words, fields = "took in clip %s: %s, %d bytes", self._docking.fields(clip_id)
                    log.info(words, clip_id, row.integrity, job.footage.size, extra=fields)
        self._docking.progress.ended(batch.number)
        return held, receipts

    # steps 7 and 8

    def _deliver_first(self) -> None:
        held, issued = self._await_commit(self._committing.popleft())
        self._deliveries.append(self._begin_delivery(held, issued))
        if len(self._deliveries) > 1:
            self._record_delivery(self._deliveries.popleft())

    def _begin_delivery(self, clips: Sequence[DockedClip], issued: Issued) -> Delivery | None:
        """Does not wait: other batches go on. None where nothing is to be written."""
        files: dict[str, bytes] = {}
        given: list[DockedClip] = []
        for clip in clips:
            receipt = issued.get(clip.clip_id) if clip.clip_id is not None else None
            if isinstance(receipt, bytes):
                files[clip.stem] = receipt
                given.append(clip)
            elif self._erase == "never":
                clip.done = True
            else:
                clip.problem = receipt
        return Delivery(self.reader.begin_receipts(files), given) if given else None

    def _record_delivery(self, delivery: Delivery | None) -> None:
        """Returns once the receipts are durable on the camera, and that is recorded."""
        if delivery is None:
            return
        failed = self.reader.await_receipts(delivery.number)
        written = [clip for clip in delivery.clips if clip.stem not in failed]
        names = [clip.clip_id for clip in written if clip.clip_id is not None]
        if names:
            self._ledger.record_receipts(names, self._docking.bay)
        for clip in written:
            clip.receipted, clip.problem, clip.done = True, None, self._erase == "receipt"
        for clip in delivery.clips:
            if clip.stem in failed:
                self._docking.fail(clip, failed[clip.stem])

"""The clips on one docked camera, brought as far as each goes: settled, taken in, receipted, erased."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from daemon.core.read_order import MOST_TOGETHER, Waiting, batches
from daemon.core.settle import Sighting, quiet, readiness
from daemon.dock.camera.messages import FoundClip
from daemon.dock.camera.reader import Reader
from daemon.dock.ingest.batches import BatchIngest
from daemon.dock.ingest.docking import DockedClip, Docking
from daemon.dock.ingest.erasure import Candidate, NotBefore, Permitted, Refused
from daemon.dock.ingest.jobs import ReadCapture
from daemon.dock.ingest.ledger import IngestLedger
from daemon.dock.ingest.read_turns import ReadTurns
from daemon.model.errors import CameraReadError, UnavailableError

WRITING = "waiting for the camera to finish writing"
WINDOW = 1000
"""How many clips' captures are read ahead."""
_LOOK_AGAIN_SECONDS = 60.0


class CameraClips:
    """One docking's. Used by the bay's thread only."""

    def __init__(
        self, ledger: IngestLedger, docking: Docking, turns: ReadTurns, helper: Executor, *, window: int = WINDOW
    ) -> None:
        """`helper` commits batches beside the bay's thread; `window` captures are read ahead."""
        self._docking = docking
        self._ledger = ledger
        self._settings = ledger.settings
        self._turns = turns
        self._helper = helper
        self._window = window
        self._clips: dict[str, DockedClip] = {}
        self._ingest: BatchIngest | None = None
        self._looked = False

    @property
    def kept_reason(self) -> str | None:
        """Why clips are still on the camera though all are safe here; None where cameras erase by themselves."""
        here = [clip for clip in self._clips.values() if clip.clip_id is not None]
        if not here or self._settings.erase == "receipt":
            return None
        if self._settings.erase == "never":
            return "kept on the camera: this dock lets nothing be erased"
        waiting = sum(not clip.done for clip in here)
        return f"safe to undock; clips still to be erased when their time comes: {waiting}" if waiting else None

    def observe(self, found: FoundClip) -> None:
        """What one scan saw of a clip. A clip that changed begins anew."""
        seen = Sighting(found.footage, found.capture, time.monotonic())
        clip = self._clips.get(found.stem)
        if clip is None or (clip.last.footage, clip.last.capture) != (seen.footage, seen.capture):
            self._clips[found.stem] = DockedClip(found.stem, seen, seen)
        else:
            clip.last = seen
        self._docking.progress.saw(found.stem, found.footage.size)

    def forget_missing(self, present: set[str]) -> None:
        """Forgets clips no longer on the camera. Those with a receipt were erased, now or since it last docked."""
        gone = [stem for stem in self._clips if stem not in present]
        for stem in gone:
            del self._clips[stem]
            self._docking.progress.gone(stem)
        if gone or not self._looked:
            self._looked = True
            self._ledger.record_gone(self._docking.camera.serial, present, self._docking.bay)

    def work(self, reader: Reader, stopping: Callable[[], bool] = lambda: False) -> set[str]:
        """Brings every clip as far as it goes now. Returns what they wait for; nothing when all are safe here."""
        if self._ingest is None or self._ingest.reader is not reader:
            self._ingest = BatchIngest(self._ledger, self._docking, reader, self._turns, self._helper)
        now = time.monotonic()
        due = [clip for clip in self._clips.values() if not clip.done and now >= clip.retry_at]
        self._take_in(self._ingest, [clip for clip in due if clip.clip_id is None], stopping)
        held = [clip for clip in due if clip.clip_id is not None and now >= clip.retry_at]
        self._ingest.deliver([clip for clip in held if not clip.receipted])
        if self._settings.erase == "dock" and not stopping():
            self._erase(reader, [clip for clip in held if clip.receipted])
        return {clip.problem for clip in self._clips.values() if clip.problem is not None}

    def _take_in(self, ingest: BatchIngest, clips: list[DockedClip], stopping: Callable[[], bool]) -> None:
        """Takes clips in, some at a time, so that few captures are read ahead; batches go on over all of them."""
        try:
            for start in range(0, len(clips), self._window):
                if stopping():
                    break
                self._take_in_window(ingest, clips[start : start + self._window], stopping)
            ingest.finish()
        except CameraReadError:
            ingest.give_up()
            raise

    def _take_in_window(self, ingest: BatchIngest, clips: list[DockedClip], stopping: Callable[[], bool]) -> None:
        still = [clip for clip in clips if self._quiet(clip)]
        self._read_captures(ingest.reader, [clip for clip in still if clip.read is None])
        for batch in batches(self._waiting([clip for clip in still if self._ready(clip)])):
            if stopping():
                return
            if not self._turns.free(batch[-1].urgency):  # what is read already need not wait
                ingest.finish()
            with self._turns.turn(batch[-1].urgency, stopping):
                ingest.add([waiting.clip for waiting in batch])

    def _read_captures(self, reader: Reader, clips: Sequence[DockedClip]) -> None:
        found = reader.captures([clip.stem for clip in clips if clip.last.capture is not None]) if clips else {}
        for clip in clips:
            data = found.get(clip.stem)
            if isinstance(data, CameraReadError):  # a capture that is a link, too large, unreadable
                clip.read = ReadCapture("unusable", None, None, None, str(data))
            else:
                clip.read = self._ledger.read_capture(data, self._docking.camera, clip.stem)

    def _quiet(self, clip: DockedClip) -> bool:
        """Whether to read its capture yet: those of a full camera take seconds."""
        if quiet(clip.first, clip.last, self._settings.settle_seconds):
            return True
        clip.problem = WRITING
        return False

    def _ready(self, clip: DockedClip) -> bool:
        """Whether nobody writes it any more, and it may be taken in at all."""
        settings, read = self._settings, clip.capture
        ready = readiness(clip.first, clip.last, read.size, settings.orphan_seconds, settings.settle_seconds)
        size, most = clip.last.footage.size, settings.max_clip_bytes
        if ready == "waiting":
            clip.problem = WRITING if read.problem is None else read.problem
        elif size > most:  # before it asks for room: it is too large, the disk is not too full
            self._docking.fail(clip, CameraReadError(f"{size} bytes, more than the {most} a clip may have"))
        else:
            return True
        return False

    def _waiting(self, clips: Sequence[DockedClip]) -> list[Waiting[DockedClip]]:
        """The clips, each with what decides its turn."""
        reads = [clip.capture for clip in clips]
        sent = self._ledger.are_dispatched(self._docking.camera, reads)
        return [
            Waiting(clip, clip.last.footage.size, read.capture.trigger_on if read.capture else None, dispatched)
            for clip, read, dispatched in zip(clips, reads, sent, strict=True)
        ]

    def _erase(self, reader: Reader, clips: Sequence[DockedClip]) -> None:
        """Deletes clips whose receipts are durable on this camera, once their time has come."""
        for start in range(0, len(clips), MOST_TOGETHER):
            self._erase_some(reader, clips[start : start + MOST_TOGETHER])

    def _erase_some(self, reader: Reader, clips: Sequence[DockedClip]) -> None:
        candidates = {
            clip.stem: Candidate(clip.stem, clip.clip_id or "", clip.last.footage, clip.read_here) for clip in clips
        }
        permissions = self._ledger.check_erasable(list(candidates.values()))
        requests = {stem: one.request for stem, one in permissions.items() if isinstance(one, Permitted)}
        failed = reader.erase(requests) if requests else {}
        if requests:
            self._ledger.record_erased(self._docking.bay, [candidates[stem] for stem in requests], failed)
        for clip in clips:
            clip.problem, clip.done = None, False
            match permissions[clip.stem]:
                case NotBefore(at):
                    later = (at - self._ledger.now()).total_seconds()
                    clip.retry_at = time.monotonic() + min(later, _LOOK_AGAIN_SECONDS)
                case Refused(reason):
                    self._docking.fail(clip, UnavailableError(reason))
                case Permitted():
                    error = failed.get(clip.stem)
                    clip.done = error is None or isinstance(error, CameraReadError)  # left alone: done too
                    if error is not None:
                        self._docking.fail(clip, error)

"""The way of the clips on one docked camera: settled, taken in, receipted, erased."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime

from daemon.core.read_order import MOST_TOGETHER, Waiting, batches
from daemon.core.settle import FileStat, Sighting, quiet, readiness
from daemon.dock.camera.handle import ReaderHandle
from daemon.dock.ingest import erasure, intake
from daemon.dock.ingest.batches import TakingIn
from daemon.dock.ingest.docking import DockedClip, Docking
from daemon.dock.ingest.in_flight import InFlight
from daemon.dock.ingest.intake import ReadCapture
from daemon.dock.ingest.read_turns import Turns
from daemon.dock.ingest.receipt_delivery import Receipting
from daemon.dock.ingest.settling import Settling
from daemon.model.errors import CameraReadError

WRITING = "waiting for the camera to finish writing"
_WINDOW = 1000
_LOOK_AGAIN_SECONDS = 60.0


class ClipWay:
    """Brings each clip of one docking as far as it goes. Used by the bay's thread only."""

    def __init__(self, docking: Docking, turns: Turns, helper: Executor) -> None:
        """`helper` settles batches beside the bay's thread."""
        self._docking = docking
        self._dock = docking.dock
        self._service = docking.service
        self._turns = turns
        self._settings = docking.dock.config.ingest
        self._receipts = Receipting(docking)
        self._taking_in = TakingIn(docking, turns, Settling(docking, self._receipts), helper)
        self._clips: dict[str, DockedClip] = {}
        self._looked = False

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
            self._clips[stem] = DockedClip(stem, seen, seen)
        else:
            clip.last = seen
        self._docking.standing.saw(stem, footage[0])

    def note_gone(self, present: set[str]) -> None:
        """Forgets clips no longer on the camera; those with a receipt it has erased, now or since it last docked."""
        gone = [stem for stem in self._clips if stem not in present]
        for stem in gone:
            del self._clips[stem]
            self._docking.standing.gone(stem)
        if gone or not self._looked:
            self._looked = True
            serial, bay = self._docking.camera.serial, self._docking.bay
            self._service.call(lambda: erasure.record_gone(self._dock, serial, present, bay))

    def advance(self, handle: ReaderHandle, stopping: Callable[[], bool] = lambda: False) -> set[str]:
        """Brings every clip as far as it goes now. Returns what they wait for; nothing when all are safe here."""
        now = time.monotonic()
        due = [clip for clip in self._clips.values() if not clip.done and now >= clip.retry_at]
        self._take_in(handle, [clip for clip in due if clip.clip_id is None], stopping)
        held = [clip for clip in due if clip.clip_id is not None and now >= clip.retry_at]
        self._receipts.give(handle, [clip for clip in held if not clip.receipted])
        if self._settings.erase == "dock" and not stopping():
            self._erase(handle, [clip for clip in held if clip.receipted])
        return {clip.problem for clip in self._clips.values() if clip.problem is not None}

    def _take_in(self, handle: ReaderHandle, clips: list[DockedClip], stopping: Callable[[], bool]) -> None:
        """Not too many captures are read ahead; the batches go on over all of them."""
        flight = InFlight(handle, self._taking_in, self._receipts)
        try:
            for start in range(0, len(clips), _WINDOW):
                if stopping():
                    break
                self._take_in_window(handle, flight, clips[start : start + _WINDOW], stopping)
            flight.finish()
        except CameraReadError:
            flight.give_up()
            raise

    def _take_in_window(
        self, handle: ReaderHandle, flight: InFlight, clips: list[DockedClip], stopping: Callable[[], bool]
    ) -> None:
        still = [clip for clip in clips if self._quiet(clip)]
        self._read_captures(handle, [clip for clip in still if clip.read is None])
        for batch in batches(self._waiting([clip for clip in still if self._ready(clip)])):
            if stopping():
                return
            if not self._turns.free(batch[-1].urgency):  # what is read already need not wait
                flight.finish()
            with self._turns.turn(batch[-1].urgency, stopping):
                begun = self._taking_in.begin(handle, [waiting.clip for waiting in batch])
                if begun is not None:
                    flight.add(begun)

    def _read_captures(self, handle: ReaderHandle, clips: list[DockedClip]) -> None:
        now = self._dock.now()
        found = handle.captures([clip.stem for clip in clips if clip.last.capture is not None]) if clips else {}
        for clip in clips:
            data = found.get(clip.stem)
            if isinstance(data, CameraReadError):  # a capture that is a link, too large, unreadable
                clip.read = ReadCapture("unusable", None, None, None, str(data))
            else:
                clip.read = intake.read_capture(self._dock, data, self._docking.camera, clip.stem, now)

    def _quiet(self, clip: DockedClip) -> bool:
        """Whether its capture is worth reading: as many as a camera holds, they take seconds."""
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
        elif size > most:  # before room is sought for it: the disk is not to blame
            self._docking.fail(clip, CameraReadError(f"{size} bytes, more than the {most} a clip may have"))
        else:
            return True
        return False

    def _waiting(self, clips: list[DockedClip]) -> list[Waiting[DockedClip]]:
        """With what decides their order."""
        if not clips:
            return []
        dock, camera = self._dock, self._docking.camera
        reads = [clip.capture for clip in clips]
        sent = self._service.call(lambda: [intake.dispatched(dock, read, camera) for read in reads])
        return [
            Waiting(clip, clip.last.footage.size, read.capture.trigger_on if read.capture else None, dispatched)
            for clip, read, dispatched in zip(clips, reads, sent, strict=True)
        ]

    def _erase(self, handle: ReaderHandle, clips: list[DockedClip]) -> None:
        """Deletes clips whose receipts are durable on this camera, once their time has come."""
        for start in range(0, len(clips), MOST_TOGETHER):
            self._erase_some(handle, clips[start : start + MOST_TOGETHER])

    def _erase_some(self, handle: ReaderHandle, clips: list[DockedClip]) -> None:
        found = [erasure.Found(clip.stem, clip.clip_id or "", clip.last.footage, clip.read_here) for clip in clips]
        outcomes = erasure.erase(self._dock, self._service.call, handle, self._docking.bay, found)
        for clip in clips:
            outcome = outcomes[clip.stem]
            clip.problem, clip.done = None, outcome is None or isinstance(outcome, CameraReadError)
            if isinstance(outcome, datetime):
                later = (outcome - self._dock.now()).total_seconds()
                clip.retry_at = time.monotonic() + min(later, _LOOK_AGAIN_SECONDS)
            elif outcome is not None:
                self._docking.fail(clip, outcome)

"""Receipts on their way to one docked camera: issued, written there by its reader, and recorded once durable there."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.dock import receipts
from daemon.dock.docking import DockedClip, Docking
from daemon.dock.reader_handle import ReaderHandle
from daemon.seal import envelope as envelopes

AT_A_TIME = 64


@dataclass(frozen=True)
class Sent:
    """Receipts that the reader is writing."""

    number: int
    clips: list[DockedClip]


class Receipting:
    """Used by the bay's thread only."""

    def __init__(self, docking: Docking) -> None:
        self._docking = docking
        self._erased_by_camera = docking.dock.config.ingest.erase == "receipt"

    def give(self, handle: ReaderHandle, clips: list[DockedClip]) -> None:
        """Receipts for clips that the dock holds, those that may have one now. Raises ReaderGoneError."""
        for start in range(0, len(clips), AT_A_TIME):
            self.conclude(handle, self.send(handle, clips[start : start + AT_A_TIME]))

    def send(self, handle: ReaderHandle, clips: list[DockedClip]) -> Sent | None:
        """Begins to give them, and does not wait: other batches go on. None where nothing is to be written."""
        dock = self._docking.dock
        if dock.config.ingest.erase == "never":
            for clip in clips:
                clip.done = True
            return None
        names = [clip.clip_id for clip in clips if clip.clip_id is not None]
        issued = self._docking.service.call(lambda: [receipts.issue(dock, name) for name in names])
        given: dict[str, bytes] = {}
        for clip, receipt in zip(clips, issued, strict=True):
            if isinstance(receipt, str):
                clip.problem = receipt
            else:
                given[clip.stem] = envelopes.sign(receipt, dock.sign_key).to_bytes()
        if not given:
            return None
        return Sent(handle.begin_receipts(given), [clip for clip in clips if clip.stem in given])

    def conclude(self, handle: ReaderHandle, sent: Sent | None) -> None:
        """Waits until they are durable on the camera, and records it. Raises ReaderGoneError."""
        if sent is None:
            return
        failed = handle.receipts(sent.number)
        written = [clip for clip in sent.clips if clip.stem not in failed]
        names = [clip.clip_id for clip in written if clip.clip_id is not None]
        dock, bay = self._docking.dock, self._docking.bay
        if names:
            self._docking.service.call(lambda: receipts.record(dock, names, bay))
        for clip in written:
            clip.receipted, clip.problem, clip.done = True, None, self._erased_by_camera
        for clip in sent.clips:
            if clip.stem in failed:
                self._docking.fail(clip, failed[clip.stem])

"""Receipts on their way to one docked camera: issued, written there by its reader, and recorded once durable there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from daemon.core.read_order import MOST_TOGETHER
from daemon.dock.camera.handle import ReaderHandle
from daemon.dock.ingest import receipts
from daemon.dock.ingest.docking import DockedClip, Docking
from daemon.model.statements import Receipt
from daemon.seal import envelope as envelopes

Issued = dict[str, bytes | str]
"""Clips' receipts as files, by clip id; or, in words, what keeps one back."""


@dataclass(frozen=True)
class Sent:
    """Receipts that the reader is writing."""

    number: int
    clips: list[DockedClip]


class Receipting:
    """One docking's. Used by the bay's thread only, but for `issue`."""

    def __init__(self, docking: Docking) -> None:
        self._docking = docking
        self._erase = docking.dock.config.ingest.erase

    def give(self, handle: ReaderHandle, clips: Sequence[DockedClip]) -> None:
        """Receipts for clips that the dock holds, those that may have one now. Raises ReaderGoneError."""
        for start in range(0, len(clips), MOST_TOGETHER):
            some = clips[start : start + MOST_TOGETHER]
            issued = self.issue([clip.clip_id for clip in some if clip.clip_id is not None])
            self.conclude(handle, self.send(handle, some, issued))

    def issue(self, clip_ids: Sequence[str]) -> Issued:
        """On any thread but the service's."""
        if self._erase == "never":
            return {}
        dock = self._docking.dock
        said = self._docking.service.call(lambda: receipts.issue(dock, clip_ids))
        given = {clip_id: receipt for clip_id, receipt in said.items() if isinstance(receipt, Receipt)}
        signed = envelopes.sign_all(list(given.values()), dock.sign_key)
        kept: Issued = {clip_id: reason for clip_id, reason in said.items() if isinstance(reason, str)}
        return kept | {clip_id: envelope.to_bytes() for clip_id, envelope in zip(given, signed, strict=True)}

    def send(self, handle: ReaderHandle, clips: Sequence[DockedClip], issued: Issued) -> Sent | None:
        """Begins to give them, and does not wait: other batches go on. None where nothing is to be written."""
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
        return Sent(handle.begin_receipts(files), given) if given else None

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
            clip.receipted, clip.problem, clip.done = True, None, self._erase == "receipt"
        for clip in sent.clips:
            if clip.stem in failed:
                self._docking.fail(clip, failed[clip.stem])

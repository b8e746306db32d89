"""Deleting clips from a camera that cannot check a receipt itself: `[ingest] erase = "dock"`.

Only after the clip's receipt is durable on the camera, under the same conditions and not before the receipt's time.
Before the dock deletes, it notes durably that it is about to. If it stops in between, custody still says who deleted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from daemon.core.lifecycle import State
from daemon.core.settle import FileStat
from daemon.custody.log import NewEntry
from daemon.dock.camera.messages import EraseRequest
from daemon.dock.context import Transaction
from daemon.dock.ingest import receipts
from daemon.dock.store.rows import HeldClip
from daemon.model.custody_actions import CustodyAction
from daemon.model.errors import BwcError, CameraReadError


@dataclass(frozen=True)
class Candidate:
    """A clip that may be deleted, as it lies on the camera. `read_here`: its bytes were read at this docking."""

    stem: str
    clip_id: str
    footage: FileStat
    read_here: bool


@dataclass(frozen=True)
class Permitted:
    """It may be deleted now, and that the dock sets out to is noted; this must lie there."""

    request: EraseRequest


@dataclass(frozen=True)
class NotBefore:
    """It may not be deleted before this time."""

    at: datetime


@dataclass(frozen=True)
class Refused:
    """It may not be deleted, in words why."""

    reason: str


Permission = Permitted | NotBefore | Refused


def check(tx: Transaction, clips: Sequence[Candidate]) -> dict[str, Permission]:
    """Which of them may be deleted now, by their stems."""
    return {clip.stem: _check(tx, clip) for clip in clips}


def _check(tx: Transaction, candidate: Candidate) -> Permission:
    clip = tx.store.clip(candidate.clip_id)
    if clip is None or not clip.receipted:
        return Refused("has no receipt yet")
    entries = receipts.entries_of(tx, clip.clip_id)
    reason = receipts.withheld_because(tx, clip) or _not_held(tx, clip, entries)
    if reason is not None:
        return Refused(reason)
    if not tx.reading().trusted:
        return Refused("the dock's clock is earlier than a recorded time: nothing is erased")
    due = receipts.erase_after(tx, entries)
    if tx.now() < due:
        return NotBefore(due)
    tx.store.set_out_to_erase(clip.clip_id)
    # a file that was only known again, by its times or its claim, is read first
    return Permitted(EraseRequest(candidate.footage, None if candidate.read_here else clip.clip_sha256))


def _not_held(tx: Transaction, clip: HeldClip, entries: list[dict[str, Any]]) -> str | None:
    """Why the vault's copy is no reason to delete the camera's."""
    if clip.state == State.DISPOSED:
        return None
    if any(entry["action"] == CustodyAction.DAMAGED for entry in entries):
        return "found damaged in the vault: kept on the camera"
    if tx.dock.replica.is_evicted(clip.clip_id):
        return None  # read back whole where it lies now, before it was evicted
    found = tx.dock.vault.find(clip.clip_id)
    try:
        whole = found is not None and found.sealed.stat().st_size == clip.sealed_bytes
    except OSError:
        whole = False
    return None if whole else "not whole in the vault: kept on the camera"


def record_outcomes(tx: Transaction, bay: str, clips: Sequence[Candidate], failed: Mapping[str, BwcError]) -> None:
    """What became of clips that the reader was asked to delete."""
    for clip in clips:
        match failed.get(clip.stem):
            case None:
                _record(tx, clip.clip_id, bay, "dock")
            case CameraReadError():
                tx.store.leave_unerased(clip.clip_id)
            case _:
                pass  # perhaps deleted, perhaps not: the next look will tell


def record_gone(tx: Transaction, camera_serial: str, present: set[str], bay: str) -> None:
    """Clips with a receipt that are no longer among those `present`: the camera has erased them, or the dock had."""
    for clip in tx.store.to_be_erased(camera_serial):
        if clip.stem not in present:
            _record(tx, clip.clip_id, bay, "dock" if tx.store.set_out(clip.clip_id) else "camera")


def _record(tx: Transaction, clip_id: str, bay: str, by: str) -> None:
    clip = tx.store.clip(clip_id)
    if clip is not None and not clip.erased:
        tx.store.mark_erased(clip_id)
        detail = {"bay": bay, "camera_serial": clip.camera_serial, "by": by}
        tx.record(NewEntry(CustodyAction.ERASED, clip_id, detail), prompt=False)

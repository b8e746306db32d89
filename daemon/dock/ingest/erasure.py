"""Deleting clips from a camera that cannot check a receipt itself: `[ingest] erase = "dock"`.

Only after the clip's receipt is durable on the camera, under the same conditions and not before its time. That the dock
sets out to delete it is durable before it does: should it stop in between, custody will still say who it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from daemon.core.lifecycle import State
from daemon.core.settle import FileStat
from daemon.custody.log import Event
from daemon.dock.camera.handle import ReaderHandle
from daemon.dock.context import Dock
from daemon.dock.ingest import receipts
from daemon.dock.store.store import ClipRow
from daemon.model.errors import BwcError, CameraReadError, UnavailableError

T = TypeVar("T")
Outcome = None | datetime | BwcError
"""Deleted; may not be before that time; or why it was not: CameraReadError when what lies there is something else."""


@dataclass(frozen=True)
class Found:
    """A clip as it lies on the camera. `read_here`: its bytes were read while this camera was docked."""

    stem: str
    clip_id: str
    footage: FileStat
    read_here: bool


class Call(Protocol):
    """Runs a decision on the service's thread; returns once what it wrote is durable."""

    def __call__(self, decide: Callable[[], T], /) -> T: ...


def erase(dock: Dock, call: Call, handle: ReaderHandle, bay: str, clips: list[Found]) -> dict[str, Outcome]:
    """Deletes what may be deleted now; every clip's outcome by its stem. Raises ReaderGoneError."""
    permits = call(lambda: {clip.stem: permit(dock, clip.clip_id) for clip in clips})
    outcomes: dict[str, Outcome] = {
        stem: UnavailableError(answer) if isinstance(answer, str) else answer for stem, answer in permits.items()
    }
    now = [clip for clip in clips if permits[clip.stem] is None]
    if now:
        outcomes |= handle.erase(call(lambda: {clip.stem: _wanted(dock, clip) for clip in now}))
        call(lambda: _conclude(dock, bay, now, outcomes))
    return outcomes


def _wanted(dock: Dock, clip: Found) -> dict[str, Any]:
    """What must lie there to be deleted. A file that was only known again, by its times or its claim, is read first."""
    row = dock.store.clip(clip.clip_id)
    if row is None:
        raise AssertionError("only a clip that the dock holds is permitted to be deleted")
    return {"footage": list(astuple(clip.footage)), "sha256": None if clip.read_here else row.clip_sha256}


def _conclude(dock: Dock, bay: str, clips: list[Found], outcomes: dict[str, Outcome]) -> None:
    for clip in clips:
        match outcomes[clip.stem]:
            case None:
                _record(dock, clip.clip_id, bay, "dock")
            case CameraReadError():
                dock.store.leave_unerased(clip.clip_id)
            case _:
                pass  # perhaps deleted, perhaps not: the next look will tell


def permit(dock: Dock, clip_id: str) -> datetime | str | None:
    """None: it may be deleted now, and that is noted. Otherwise not before that time; or, in words, what keeps it."""
    clip = dock.store.clip(clip_id)
    if clip is None or not clip.receipted:
        return "has no receipt yet"
    so_far = receipts.entries(dock, clip_id)
    reason = receipts.missing(dock, clip) or _not_held(dock, clip, so_far)
    if reason is not None:
        return reason
    if not dock.reading().trusted:
        return "the dock's clock is earlier than a recorded time: nothing is erased"
    due = receipts.erase_after(dock, so_far)
    if dock.now() < due:
        return due
    dock.store.set_out_to_erase(clip_id)
    return None


def _not_held(dock: Dock, clip: ClipRow, so_far: list[dict[str, Any]]) -> str | None:
    """Why the vault's copy is no reason to delete the camera's."""
    if clip.state == State.DISPOSED:
        return None
    if any(entry["action"] == "damaged" for entry in so_far):
        return "found damaged in the vault: kept on the camera"
    if dock.replica.is_evicted(clip.clip_id):
        return None  # read back whole where it lies now, before it was evicted
    found = dock.vault.find(clip.clip_id)
    try:
        whole = found is not None and found.sealed.stat().st_size == clip.sealed_bytes
    except OSError:
        whole = False
    return None if whole else "not whole in the vault: kept on the camera"


def record_gone(dock: Dock, camera_serial: str, present: set[str], bay: str) -> None:
    """Clips with a receipt that are no longer among those `present`: the camera has erased them, or the dock had."""
    for clip in dock.store.to_be_erased(camera_serial):
        if clip.stem not in present:
            _record(dock, clip.clip_id, bay, "dock" if dock.store.set_out(clip.clip_id) else "camera")


def _record(dock: Dock, clip_id: str, bay: str, by: str) -> None:
    clip = dock.store.clip(clip_id)
    if clip is not None and not clip.erased:
        dock.store.mark_erased(clip_id)
        detail = {"bay": bay, "camera_serial": clip.camera_serial, "by": by}
        dock.record(Event("erased", clip_id, detail), prompt=False)

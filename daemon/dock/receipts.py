"""Receipts: only against one may a camera erase a clip."""

from __future__ import annotations

from datetime import timedelta

from daemon.core.lifecycle import State
from daemon.custody.log import Event
from daemon.dock.state import Dock
from daemon.dock.store import ClipRow
from daemon.model.statements import Receipt
from daemon.seal import envelope as envelopes


def _missing(dock: Dock, clip: ClipRow) -> str | None:
    """What keeps a held clip from its receipt just now; None when nothing does."""
    if dock.custody_behind:
        return "the vault's disk is full: custody cannot be copied there"
    if clip.state == State.QUARANTINED:
        return "in quarantine: kept on the camera until a correction admits it"
    if dock.trust.policy_keyid() not in dock.proven_recipients:
        return "waiting for the policy service to confirm that it can open what this dock seals"
    return None


def issue(dock: Dock, clip_id: str) -> bytes | str:
    """The clip's receipt, signed; or, in words, what keeps it back.

    `sequence` is the custody entry that recorded the clip's intake.
    """
    clip = dock.store.clip(clip_id)
    if clip is None:
        return "not taken in yet"
    reason = _missing(dock, clip)
    if reason is not None:
        return reason
    receipt = Receipt(
        clip_id=clip_id,
        dock_id=dock.dock_id,
        camera_serial=clip.camera_serial,
        clip_sha256=clip.clip_sha256,
        sealed_sha256=clip.sealed_sha256,
        sequence=dock.custody.of_clip(clip_id)[0][0],
        erase_after=dock.now() + timedelta(seconds=dock.config.ingest.erase_after_seconds),
    )
    return envelopes.sign(receipt, dock.sign_key).to_bytes()


def record(dock: Dock, clip_ids: list[str], bay: str) -> None:
    """The receipts are durable on the camera."""
    for clip_id in clip_ids:
        dock.store.mark_receipted(clip_id)
        dock.record(Event("receipted", clip_id, {"bay": bay}), prompt=False)


def record_erased(dock: Dock, camera_serial: str, present: set[str], bay: str) -> None:
    """Clips with a receipt that are no longer among those `present` on their camera: it has erased them."""
    for clip in dock.store.to_be_erased(camera_serial):
        if clip.stem not in present:
            dock.store.mark_erased(clip.clip_id)
            detail = {"bay": bay, "camera_serial": camera_serial}
            dock.record(Event("erased", clip.clip_id, detail), prompt=False)

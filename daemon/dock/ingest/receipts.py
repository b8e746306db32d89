"""Receipts: only against one may a camera erase a clip."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from daemon.core.lifecycle import State
from daemon.custody.log import Event
from daemon.dock.context import Dock
from daemon.dock.store.store import ClipRow
from daemon.model import strict_json
from daemon.model.statements import Receipt
from daemon.model.times import parse_instant


def missing(dock: Dock, clip: ClipRow) -> str | None:
    """What keeps a held clip from its receipt just now; None when nothing does."""
    if dock.custody_behind:
        return "the vault's disk is full: custody cannot be copied there"
    if clip.state == State.QUARANTINED:
        return "in quarantine: kept on the camera until a correction admits it"
    if dock.config.ingest.receipt_when == "replicated" and not dock.replica.is_held(clip.clip_id):
        return "waiting until object storage holds it too"
    if dock.trust.policy_keyid() not in dock.proven_recipients:
        return "waiting for the policy service to confirm that it can open what this dock seals"
    return None


def issue(dock: Dock, clip_ids: Collection[str]) -> dict[str, Receipt | str]:
    """Clips' receipts, to be signed; or, in words, what keeps one back."""
    clips = dock.store.clips_by_id(clip_ids)
    first = dock.custody.first_of(clips)
    not_yet: dict[str, Receipt | str] = dict.fromkeys(clip_ids, "not taken in yet")
    return not_yet | {clip_id: _receipt(dock, clip, first[clip_id]) for clip_id, clip in clips.items()}


def _receipt(dock: Dock, clip: ClipRow, sequence: int) -> Receipt | str:
    """`sequence` is the custody entry that recorded the clip's intake."""
    reason = missing(dock, clip)
    if reason is not None:
        return reason
    return Receipt(
        clip_id=clip.clip_id,
        dock_id=dock.dock_id,
        camera_serial=clip.camera_serial,
        clip_sha256=clip.clip_sha256,
        sealed_sha256=clip.sealed_sha256,
        sequence=sequence,
        erase_after=erase_after(dock, entries(dock, clip.clip_id) if clip.receipted else []),
    )


def erase_after(dock: Dock, so_far: list[dict[str, Any]]) -> datetime:
    """Counted from the first receipt in a clip's custody entries: docking again does not put it off."""
    first = next((entry["at"] for entry in so_far if entry["action"] == "receipted"), None)
    since = parse_instant(first) if first is not None else dock.now()
    return since + timedelta(seconds=dock.config.ingest.erase_after_seconds)


def entries(dock: Dock, clip_id: str) -> list[dict[str, Any]]:
    """A clip's custody entries so far; the first is its intake."""
    return [strict_json.parse_object(line, what="custody entry") for _, line in dock.custody.of_clip(clip_id)]


def record(dock: Dock, clip_ids: list[str], bay: str) -> None:
    """The receipts are durable on the camera."""
    dock.store.mark_receipted(clip_ids)
    dock.record_all([Event("receipted", clip_id, {"bay": bay}) for clip_id in clip_ids], prompt=False)

"""Receipts: only against one may a camera erase a clip."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from daemon.core.lifecycle import State
from daemon.custody.log import NewEntry
from daemon.dock.context import Transaction
from daemon.dock.store.rows import HeldClip
from daemon.model import strict_json
from daemon.model.custody_actions import CustodyAction
from daemon.model.statements import Receipt
from daemon.model.times import parse_instant


def withheld_because(tx: Transaction, clip: HeldClip) -> str | None:
    """What keeps a held clip from its receipt just now; None when nothing does."""
    if tx.state.custody_behind:
        return "the vault's disk is full: custody cannot be copied there"
    if clip.state == State.QUARANTINED:
        return "in quarantine: kept on the camera until a correction admits it"
    if tx.dock.config.ingest.receipt_when == "replicated" and not tx.dock.replica.is_held(clip.clip_id):
        return "waiting until object storage holds it too"
    if tx.trust.policy_keyid() not in tx.store.proven_recipients:
        return "waiting for the policy service to confirm that it can open what this dock seals"
    return None


def issue(tx: Transaction, clip_ids: Collection[str]) -> dict[str, Receipt | str]:
    """Clips' receipts, to be signed; or, in words, what keeps one back."""
    clips = tx.store.clips_by_id(clip_ids)
    first = tx.dock.custody.first_of(clips)
    not_yet: dict[str, Receipt | str] = dict.fromkeys(clip_ids, "not taken in yet")
    return not_yet | {clip_id: _receipt(tx, clip, first[clip_id]) for clip_id, clip in clips.items()}


def _receipt(tx: Transaction, clip: HeldClip, sequence: int) -> Receipt | str:
    """`sequence` is the custody entry that recorded the clip's intake."""
    reason = withheld_because(tx, clip)
    if reason is not None:
        return reason
    return Receipt(
        clip_id=clip.clip_id,
        dock_id=tx.dock.dock_id,
        camera_serial=clip.camera_serial,
        clip_sha256=clip.clip_sha256,
        sealed_sha256=clip.sealed_sha256,
        sequence=sequence,
        erase_after=erase_after(tx, entries_of(tx, clip.clip_id) if clip.receipted else []),
    )


def erase_after(tx: Transaction, entries: list[dict[str, Any]]) -> datetime:
    """Counted from the first receipt in a clip's custody entries: docking again does not put it off."""
    first = next((entry["at"] for entry in entries if entry["action"] == CustodyAction.RECEIPTED), None)
    since = parse_instant(first) if first is not None else tx.now()
    return since + timedelta(seconds=tx.dock.config.ingest.erase_after_seconds)


def entries_of(tx: Transaction, clip_id: str) -> list[dict[str, Any]]:
    """A clip's custody entries so far; the first is its intake."""
    return [strict_json.parse_object(line, what="custody entry") for _, line in tx.dock.custody.of_clip(clip_id)]


def record(tx: Transaction, clip_ids: Sequence[str], bay: str) -> None:
    """The receipts are durable on the camera."""
    tx.store.mark_receipted(clip_ids)
    entries = [NewEntry(CustodyAction.RECEIPTED, clip_id, {"bay": bay}) for clip_id in clip_ids]
    tx.record(*entries, prompt=False)

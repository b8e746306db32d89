"""Corrections by records or a supervisor: who really wore a pool camera, and what leaves quarantine.

The dock reads them itself: it must admit footage, tag it anew and release it from its camera.
"""

from __future__ import annotations

from dataclasses import replace

from daemon.core.lifecycle import LifecycleEvent, State, advance
from daemon.core.windows import AROUND_A_RECORDING
from daemon.custody.log import NewEntry
from daemon.dock.context import Transaction
from daemon.dock.dispatch import tags
from daemon.dock.store.rows import HeldClip, recording_of
from daemon.model.custody_actions import CustodyAction
from daemon.model.errors import SignerNotAllowedError
from daemon.model.statements import Correction
from daemon.model.times import format_instant
from daemon.seal import envelope as envelopes
from daemon.seal.verify import verify
from daemon.vault import durable


def receive(tx: Transaction, data: bytes) -> bool:
    """One correction. Returns whether a clip of this dock left quarantine. Raises VerificationError's subclasses."""
    envelope = envelopes.parse(data, what="correction")
    if tx.store.seen(envelope.digest):
        return False
    verified = verify(envelope, Correction, tx.trust, at=tx.now())
    correction = verified.statement
    clip = tx.store.clip(correction.clip_id)
    if clip is None or clip.state == State.DISPOSED:
        return False  # another dock's clip
    if clip.officer_id == verified.signer.id:
        raise SignerNotAllowedError(f"{verified.signer.id} wore the camera of clip {clip.clip_id}")
    tx.store.remember(envelope.digest, format_instant(tx.now()))
    if correction.officer_id is not None and correction.officer_id != clip.officer_id:
        clip = _change_wearer(tx, clip, correction.officer_id, envelope.digest)
    if correction.admit and clip.state == State.QUARANTINED:
        _admit(tx, clip, envelope.digest)
        return True
    return False


def _admit(tx: Transaction, clip: HeldClip, digest: str) -> None:
    """Takes it out of quarantine. Its directory moves first: after a crash before the commit it is found there too."""
    quarantined = tx.dock.vault.clip(clip.clip_id, "quarantine").path
    if quarantined.is_dir():
        durable.rename(quarantined, tx.dock.vault.clip(clip.clip_id).path)
    tx.record(NewEntry(CustodyAction.ADMITTED, clip.clip_id, {}, (digest,)))
    tx.announce(clip.clip_id, advance(clip.state, LifecycleEvent.ADMIT))


def _change_wearer(tx: Transaction, clip: HeldClip, officer_id: str, digest: str) -> HeldClip:
    """The clip is another officer's: both officers' tags may change."""
    newcomer = not tx.store.knows_officer(officer_id)
    tx.store.set_officer(clip.clip_id, officer_id)
    detail = {"officer_id": officer_id, "instead_of": clip.officer_id}
    tx.record(NewEntry(CustodyAction.CORRECTED, clip.clip_id, detail, (digest,)))
    if newcomer:
        tags.officer_first_seen(tx, officer_id)
    recording = recording_of(clip)
    if recording is not None:
        begin, end = recording.started_at - AROUND_A_RECORDING, recording.stopped_at + AROUND_A_RECORDING
        for officer in (officer_id, clip.officer_id):
            tags.retag(tx, officer, begin, end)
    return replace(clip, officer_id=officer_id)

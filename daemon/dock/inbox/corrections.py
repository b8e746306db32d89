"""Corrections by records or a supervisor: who really wore a pool camera, and what leaves quarantine.

The dock reads them itself: it must admit footage, tag it anew and release it from its camera.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from daemon.core.lifecycle import Event as Move
from daemon.core.lifecycle import State, advance
from daemon.custody.log import Event
from daemon.dock.context import Dock
from daemon.dock.dispatch import tags
from daemon.dock.store.store import ClipRow
from daemon.model.errors import SignerNotAllowedError
from daemon.model.statements import Correction
from daemon.model.times import format_instant
from daemon.seal import envelope as envelopes
from daemon.seal.verify import verify
from daemon.vault import durable

_AROUND = timedelta(days=1)


def receive(dock: Dock, data: bytes) -> bool:
    """One correction. Returns whether a clip of this dock left quarantine. Raises VerificationError's subclasses."""
    envelope = envelopes.parse(data, what="correction")
    if dock.store.seen(envelope.digest):
        return False
    verified = verify(envelope, Correction, dock.trust, at=dock.now())
    correction = verified.statement
    clip = dock.store.clip(correction.clip_id)
    if clip is None or clip.state == State.DISPOSED:
        return False  # another dock's clip
    if clip.officer_id == verified.signer.id:
        raise SignerNotAllowedError(f"{verified.signer.id} wore the camera of clip {clip.clip_id}")
    dock.store.remember(envelope.digest, format_instant(dock.now()))
    if correction.officer_id is not None and correction.officer_id != clip.officer_id:
        clip = _change_wearer(dock, clip, correction.officer_id, envelope.digest)
    if correction.admit and clip.state == State.QUARANTINED:
        _admit(dock, clip, envelope.digest)
        return True
    return False


def _admit(dock: Dock, clip: ClipRow, digest: str) -> None:
    """Out of quarantine: the directory moves first; a crash before the commit leaves it where it is found as well."""
    quarantined = dock.vault.clip(clip.clip_id, "quarantine").path
    if quarantined.is_dir():
        durable.rename(quarantined, dock.vault.clip(clip.clip_id).path)
    dock.record(Event("admitted", clip.clip_id, {}, (digest,)))
    dock.store.move(clip.clip_id, advance(clip.state, Move.ADMIT), dock.store.next_sequence())


def _change_wearer(dock: Dock, clip: ClipRow, officer_id: str, digest: str) -> ClipRow:
    """The clip is another officer's: both officers' tags may change."""
    dock.store.set_officer(clip.clip_id, officer_id)
    detail = {"officer_id": officer_id, "instead_of": clip.officer_id}
    dock.record(Event("corrected", clip.clip_id, detail, (digest,)))
    worn = tags.worn_of(clip)
    if worn is not None:
        for officer in (officer_id, clip.officer_id):
            tags.retag(dock, officer, worn.started_at - _AROUND, worn.stopped_at + _AROUND)
    return replace(clip, officer_id=officer_id)

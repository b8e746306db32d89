"""Finishing what was interrupted, through the same functions that would have finished it."""

from __future__ import annotations

import logging
import shutil

from daemon.dock import lock_state
from daemon.dock.context import DockContext, Transaction
from daemon.dock.inbox import disposal
from daemon.dock.ingest import intake, staging
from daemon.dock.ingest.jobs import Job, SignedClip
from daemon.dock.upkeep import custody_copies, eviction
from daemon.model.errors import VerificationError
from daemon.model.statements import Capture
from daemon.seal import envelope as envelopes
from daemon.seal.envelope import Envelope
from daemon.vault.layout import ClipDirectory

log = logging.getLogger(__name__)


def recover(tx: Transaction) -> int:
    """Commits clips that were moved into place but not committed, drops what was only staged.

    Returns how many were committed. Call it before anything else.
    """
    dock, finished = tx.dock, 0
    for clip_id, text in dock.store.staged():
        directory = dock.vault.find(clip_id)
        if directory is None or dock.store.clip(clip_id) is not None:
            staging.discard(dock.vault, clip_id)
            dock.store.unstage([clip_id])
            words = "dropped unfinished work on clip %s; it is still on its camera"
            log.info(words, clip_id, extra={"clip_id": clip_id})
            continue
        job = Job.from_text(text)
        capture = _capture(directory) if job.capture_sha256 else None
        seal, tag = _envelope(directory, "seal"), _envelope(directory, "tag")
        intake.commit(tx, [SignedClip(job, seal, tag, capture, None)])
        finished += 1
        fields = {"clip_id": clip_id, "bay": job.bay, "camera": job.camera_serial}
        log.info("finished taking in clip %s", clip_id, extra=fields)
    tx.after_commit(lambda: disposal.destroy_recorded(dock))
    tx.after_commit(lambda: eviction.finish_recorded(dock))
    _sweep_incoming(dock)
    lock_state.rebase(tx)
    tx.state.copies_due |= custody_copies.recently_touched(dock)
    return finished


def _sweep_incoming(dock: DockContext) -> None:
    """Nothing in staging outlives a restart: its data keys are gone, so it could never be opened."""
    staged = {clip_id for clip_id, _ in dock.store.staged()}
    for entry in dock.vault.incoming.iterdir():
        if entry.name not in staged and entry.suffix != ".disposed" and entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)


def _envelope(directory: ClipDirectory, which: str) -> Envelope:
    path = directory.seal if which == "seal" else directory.tag(1)
    return envelopes.parse(path.read_bytes(), what=str(path))


def _capture(directory: ClipDirectory) -> Capture | None:
    """The capture's payload, where it has one; a doubtful capture was recorded as such already."""
    try:
        return envelopes.parse(directory.capture.read_bytes(), what=str(directory.capture)).statement(Capture)
    except (OSError, VerificationError):
        return None

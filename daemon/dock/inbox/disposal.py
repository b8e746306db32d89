"""Disposal, on the policy service's signed order only: sealed file and wrapped keys go, custody keeps the fact.

Recorded first, destroyed after the commit; a crash in between is finished at the next start.
"""

from __future__ import annotations

import logging
import shutil

from daemon.core.lifecycle import LifecycleEvent, advance
from daemon.custody.log import NewEntry
from daemon.dock.context import DockContext, Transaction
from daemon.dock.store.rows import HeldClip
from daemon.model.custody_actions import CustodyAction
from daemon.model.errors import InconsistentError
from daemon.model.statements import Disposal
from daemon.model.times import format_instant
from daemon.seal.envelope import Envelope
from daemon.vault import durable

log = logging.getLogger(__name__)


def carry_out(tx: Transaction, envelope: Envelope, order: Disposal, clip: HeldClip) -> None:
    """Records the disposal of a clip; `destroy_recorded` follows once that is durable.

    Raises InconsistentError for an order about other footage.
    """
    if order.clip_sha256 != clip.clip_sha256:
        raise InconsistentError(f"the order names other footage than clip {clip.clip_id} holds")
    state = advance(clip.state, LifecycleEvent.DISPOSE)
    tx.store.remember(envelope.digest, format_instant(tx.now()))
    detail = {"order_id": order.order_id, "clip_sha256": clip.clip_sha256}
    tx.record(NewEntry(CustodyAction.DISPOSED, clip.clip_id, detail, (envelope.digest, *order.approvals)))
    tx.announce(clip.clip_id, state)
    tx.store.to_destroy(clip.clip_id)
    tx.after_commit(lambda: destroy_recorded(tx.dock))


def destroy_recorded(dock: DockContext) -> None:
    """Destroys what is recorded as disposed of: the whole directory, out of its place first."""
    for clip_id in dock.store.destroying():
        found = dock.vault.find(clip_id)
        doomed = dock.vault.incoming / f"{clip_id}.disposed"
        if found is not None:
            durable.rename(found.path, doomed)
        if doomed.exists():
            shutil.rmtree(doomed)
            durable.fsync_directory(dock.vault.incoming)
        dock.store.destroyed(clip_id)
        log.info("disposed of clip %s", clip_id, extra={"clip_id": clip_id})

"""Eviction: where room is needed, sealed files that the replica holds leave the vault, the oldest first.

In this order: the replica's copy is read whole once more; custody says `evicted`, and where the footage now lies; once
that is durable the file goes. A crash in between is finished at the next start. The clip's statements and custody stay.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from daemon.core.lifecycle import State
from daemon.core.pacing import Pace
from daemon.custody.log import NewEntry
from daemon.dock.context import DockContext, Transaction
from daemon.dock.loop import Loop
from daemon.dock.store.rows import HeldClip
from daemon.model.custody_actions import CustodyAction
from daemon.model.errors import BwcError, TamperedError
from daemon.model.times import format_instant
from daemon.vault import durable
from daemon.vault.reading import MissingError
from daemon.vault.replica.keys import sealed_key
from daemon.vault.replica.objects import Objects
from daemon.vault.space import free_bytes

log = logging.getLogger(__name__)
Alarm = Callable[[str | None, BwcError], None]


def make_room(dock: DockContext, loop: Loop, objects: Objects, pace: Pace, alarm: Alarm) -> None:
    """Evicts until the spool keeps its bounds, or nothing more may go. Raises UnavailableError.

    A clip whose copy does not hold stays, and is copied again; `alarm` is told of one that was changed.
    """
    settings = dock.config.replica
    if settings is None or not settings.spool_bytes:
        return
    after = ("", "")
    while (clip := loop.run_in_transaction(_next, settings.spool_bytes, after)) is not None:
        after = (clip.ingested_at, clip.clip_id)
        key = sealed_key(clip.clip_id, clip.sealed_sha256)
        try:
            objects.check(key, clip.sealed_bytes, pace)
        except (MissingError, TamperedError) as error:
            log.error("replica: clip %s is not evicted: %s", clip.clip_id, error, extra={"clip_id": clip.clip_id})  # noqa: TRY400
            if isinstance(error, TamperedError):
                alarm(clip.clip_id, error)
            loop.run_in_transaction(_copy_again, clip.clip_id)
        else:
            loop.run_in_transaction(_record, clip, objects.url, key)


def _next(tx: Transaction, bound: int, after: tuple[str, str]) -> HeldClip | None:
    dock, state = tx.dock, tx.state
    lacks_room = state.room_wanted > free_bytes(dock.vault.root)
    if not lacks_room:
        state.room_wanted = 0
        if dock.replica.spooled() <= bound:
            return None
    return dock.replica.evictable(after, unreceipted=dock.config.ingest.erase == "never")


def _copy_again(tx: Transaction, clip_id: str) -> None:
    tx.dock.replica.gone(clip_id)
    tx.dock.replica.want(clip_id, format_instant(tx.now()))


def _record(tx: Transaction, clip: HeldClip, url: str, key: str) -> None:
    dock = tx.dock
    now = dock.store.clip(clip.clip_id)
    if now is None or now.state == State.DISPOSED or dock.replica.is_evicted(clip.clip_id):
        return
    dock.replica.evict(clip.clip_id)
    tx.record(
        NewEntry(CustodyAction.EVICTED, clip.clip_id, {"url": url, "key": key, "sealed_sha256": clip.sealed_sha256})
    )
    tx.after_commit(lambda: finish_recorded(dock))


def finish_recorded(dock: DockContext) -> None:
    """Removes the sealed files of clips recorded as evicted."""
    for clip_id in dock.replica.evicting():
        found = dock.vault.find(clip_id)
        if found is not None and found.sealed.exists():
            found.sealed.unlink()
            durable.fsync_directory(found.path)
            log.info("evicted clip %s: it lies in the replica", clip_id, extra={"clip_id": clip_id})
        dock.replica.evicted(clip_id)

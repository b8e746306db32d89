"""What the dock's parts share, by how long it lives.

DockContext: the open parts; never changes, any thread may hold it. CurrentTrust: replaced whole by a reload.
LoopState: the loop's own memory. Transaction: one pass of the loop; decisions read and write the store through it.

The store, the custody log and LoopState belong to the loop's thread. Other threads ask the loop (daemon.dock.loop).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from daemon.core.lifecycle import State
from daemon.core.lock_rule import Reading
from daemon.custody.log import CustodyLog, NewEntry
from daemon.dock.metrics import DockMetrics
from daemon.dock.store.dispatch import DispatchStore
from daemon.dock.store.meta import MetaKey
from daemon.dock.store.replica import ReplicaStore
from daemon.dock.store.store import DockStore
from daemon.model.clock import Clock
from daemon.model.config import DockConfig
from daemon.model.custody_actions import CustodyAction
from daemon.model.errors import BwcError, NotDurableError
from daemon.model.times import format_instant, parse_instant, truncate
from daemon.model.topics import Topics
from daemon.seal.keys import SignKey
from daemon.seal.trust import Trust
from daemon.vault.layout import ClipDirectory, VaultLayout
from daemon.vault.reading import MissingError
from daemon.vault.replica.objects import Objects

log = logging.getLogger(__name__)
_MOST_REMEMBERED = 10_000


class CurrentTrust:
    """The trust file in force."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust

    def get(self) -> Trust:
        """From any thread. Keep what you got for one decision; ask again for the next."""
        return self._trust

    def replace(self, trust: Trust) -> None:
        """From the loop alone."""
        self._trust = trust


@dataclass(frozen=True)
class DockContext:
    """One dock's open parts."""

    config: DockConfig
    clock: Clock
    store: DockStore
    dispatch: DispatchStore
    replica: ReplicaStore
    vault: VaultLayout
    custody: CustodyLog
    sign_key: SignKey
    trust: CurrentTrust
    topics: Topics
    objects: Objects | None
    """The replica, where one is configured. Its methods are for threads that may wait."""
    metrics: DockMetrics = field(default_factory=DockMetrics)
    replica_work: threading.Event = field(default_factory=threading.Event)
    """Set when there is something to copy to the replica, or room to be made."""

    @property
    def dock_id(self) -> str:
        """This dock's id."""
        return self.config.dock_id

    def now(self) -> datetime:
        """The wall clock, in UTC, to the millisecond as documents write it."""
        return truncate(self.clock.now())

    def clip_directory(self, clip_id: str) -> ClipDirectory:
        """Where a held clip lies. Raises MissingError when the vault lacks what the store says it holds."""
        found = self.vault.find(clip_id)
        if found is None:
            raise MissingError(f"clip {clip_id} is in the store but not in the vault")
        return found


@dataclass
class LoopState:
    """What the loop remembers between its passes; lost when the process ends."""

    latest: datetime | None = None
    """The latest time persisted: a wall clock that reads earlier is not trusted."""
    copies_due: set[str] = field(default_factory=set)
    """Clips whose custody record in the vault must follow at the end of this pass."""
    copies_deferred: set[str] = field(default_factory=set)
    """Clips whose custody record may follow later: the new entries release nothing."""
    custody_behind: bool = False
    """Whether the vault's copies of the log lag behind for want of room."""
    refusals: set[str] = field(default_factory=set)
    """Refusals recorded already, so that what is repeated does not fill the log."""
    room_wanted: int = 0
    """Bytes that must be free on the vault's disk for a clip that waits on its camera."""

    def reading(self, dock: DockContext) -> Reading:
        """The clocks, and whether the wall clock can be trusted."""
        now = dock.now()
        if self.latest is None:
            stored = dock.store.get(MetaKey.LATEST)
            self.latest = parse_instant(stored) if stored else now
        return Reading(now, dock.clock.boot(), now >= self.latest)


class Transaction:
    """One pass of the loop: decide, and write through it; what follows is done after the commit.

    It ends with the pass. Using one that has ended is a mistake in the program: AssertionError.
    """

    def __init__(self, dock: DockContext, state: LoopState) -> None:
        self.dock = dock
        self.state = state
        self._effects: list[Callable[[], None]] = []
        self._ended = False

    @property
    def store(self) -> DockStore:
        """The dock's tables."""
        return self.dock.store

    @property
    def trust(self) -> Trust:
        """The trust file in force."""
        return self.dock.trust.get()

    def now(self) -> datetime:
        """The wall clock."""
        return self.dock.now()

    def reading(self) -> Reading:
        """The clocks, and whether the wall clock can be trusted."""
        return self.state.reading(self.dock)

    def record(self, *entries: NewEntry, prompt: bool = True) -> int:
        """Adds these entries to custody together. Returns the first one's sequence.

        Without `prompt` the clips' own custody records follow when there is time: for entries that release nothing.
        """
        self._must_be_open()
        dock, now = self.dock, self.now()
        clip_ids = {entry.clip_id for entry in entries if entry.clip_id is not None}
        (self.state.copies_due if prompt else self.state.copies_deferred).update(clip_ids)
        if dock.objects is not None:
            for clip_id in sorted(clip_ids):
                dock.replica.want(clip_id, format_instant(now))
                dock.replica_work.set()
        return dock.custody.append_all(entries, now)

    def announce(self, clip_id: str, state: State) -> None:
        """Gives the clip this state, and a new notice that says so."""
        self._must_be_open()
        self.store.move(clip_id, state, self.store.next_sequence())

    def after_commit(self, effect: Callable[[], None]) -> None:
        """Has `effect` run on the loop's thread once this pass is durable."""
        self._must_be_open()
        self._effects.append(effect)

    def refuse(
        self,
        what: str,
        kind: str,
        reason: str,
        *,
        repeat: str,
        clip_id: str | None = None,
        attestations: tuple[str, ...] = (),
        detail: Mapping[str, Any] | None = None,
        fields: Mapping[str, str | None] | None = None,
    ) -> None:
        """Records, counts and logs a refusal. Only the first one with the same `repeat` counts.

        `what` and `kind` are from fixed sets (they label a metric), `reason` may hold a stranger's words. `detail` is
        what custody is to hold; the journal can be searched by `fields`.
        """
        if not self.first(f"{what} {repeat}"):
            return
        given = {"what": what, "reason": reason[:500]} if detail is None else dict(detail)
        self.record(NewEntry(CustodyAction.REFUSED, clip_id, given, attestations))
        self.dock.metrics.refused(what, kind)
        log.warning("refused: %s: %s", what, reason, extra=dict(fields or {}))

    def first(self, what: str) -> bool:
        """Whether this has not been recorded since the start, or among the last 10,000."""
        refusals = self.state.refusals
        if what in refusals:
            return False
        if len(refusals) >= _MOST_REMEMBERED:
            refusals.clear()
        refusals.add(what)
        return True

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What is written inside is undone, and its effects are forgotten, when the block raises BwcError."""
        mark, db = len(self._effects), self.store.db
        db.execute("SAVEPOINT decision")
        try:
            yield
        except NotDurableError:
            raise
        except BwcError:
            db.execute("ROLLBACK TO decision")
            db.execute("RELEASE decision")
            del self._effects[mark:]
            raise
        db.execute("RELEASE decision")

    def end(self) -> list[Callable[[], None]]:
        """Ends it; returns what is to be done after the commit."""
        self._must_be_open()
        self._ended = True
        return self._effects

    def _must_be_open(self) -> None:
        if self._ended:
            raise AssertionError("this pass of the loop has ended")

"""What the dock's parts share, and the one rule for their work: decide in a transaction, act after its commit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from daemon.core.lock import Reading
from daemon.custody.log import CustodyLog, Event
from daemon.dock.metrics import DockMetrics
from daemon.dock.store.dispatch import DispatchStore
from daemon.dock.store.replica import ReplicaStore
from daemon.dock.store.store import Store
from daemon.model.clock import Clock
from daemon.model.config import DockConfig
from daemon.model.times import format_instant, parse_instant, truncate
from daemon.model.topics import Topics
from daemon.seal.keys import SignKey
from daemon.seal.trust import Trust
from daemon.vault.layout import VaultLayout
from daemon.vault.replica.objects import Objects


@dataclass
class Dock:
    """One dock. Everything here belongs to the service's thread, but for what never changes."""

    config: DockConfig
    clock: Clock
    store: Store
    dispatch: DispatchStore
    vault: VaultLayout
    custody: CustodyLog
    sign_key: SignKey
    trust: Trust
    topics: Topics
    objects: Objects | None = None
    """The replica, where one is configured. Its methods are for threads that may wait."""
    touched: set[str] = field(default_factory=set)
    """Clips whose custody grew in this transaction."""
    later: set[str] = field(default_factory=set)
    """Clips whose copy of their custody may lag a moment: what was added opens nothing."""
    after: list[Callable[[], None]] = field(default_factory=list)
    """What to do once this transaction is durable."""
    custody_behind: bool = False
    """Whether the vault's copies of the log lag behind for want of room."""
    latest: datetime | None = None
    """The latest time persisted: a wall clock that reads earlier is not trusted."""

    metrics: DockMetrics = field(default_factory=DockMetrics)
    refusals: set[str] = field(default_factory=set)
    """Refusals recorded already, so that what is repeated does not fill the log."""
    to_replicate: threading.Event = field(default_factory=threading.Event)
    """Set when there is something to copy to the replica, or room to be made."""
    room_wanted: int = 0
    """Bytes that must be free on the vault's disk for a clip that waits on its camera."""

    def __post_init__(self) -> None:
        self.replica = ReplicaStore(self.store)

    @property
    def dock_id(self) -> str:
        return self.config.dock_id

    def now(self) -> datetime:
        return truncate(self.clock.now())

    def record(self, event: Event, *, prompt: bool = True) -> int:
        """Adds to custody, in the current transaction. Returns the entry's sequence.

        Without `prompt` the clip's own copy of its entries follows when there is time: what was added opens nothing.
        """
        return self.record_all([event], prompt=prompt)

    def record_all(self, events: Sequence[Event], *, prompt: bool = True) -> int:
        """As `record`, for what happened at once; returns the sequence of the first."""
        now = self.now()
        clip_ids = {event.clip_id for event in events if event.clip_id is not None}
        (self.touched if prompt else self.later).update(clip_ids)
        if self.objects is not None:
            for clip_id in sorted(clip_ids):
                self.replica.want(clip_id, format_instant(now))
                self.to_replicate.set()
        return self.custody.append_all(events, now)

    def want_room(self, size: int) -> None:
        """A clip waits on its camera until `size` bytes are free: what the replica holds may make room for it."""
        self.room_wanted = size
        self.to_replicate.set()

    def reading(self) -> Reading:
        """The clocks, and whether the wall clock can be trusted."""
        now = self.now()
        if self.latest is None:
            stored = self.store.get("latest")
            self.latest = parse_instant(stored) if stored else now
        return Reading(now, self.clock.boot(), now >= self.latest)

    def first_refusal(self, what: str) -> bool:
        """Whether this refusal has not been recorded since the start (or in the last 10,000)."""
        if what in self.refusals:
            return False
        if len(self.refusals) >= 10_000:
            self.refusals.clear()
        self.refusals.add(what)
        return True

    @property
    def dispatch_as_of(self) -> datetime | None:
        """Time of the newest dispatch document known."""
        stored = self.store.get("dispatch_as_of")
        return parse_instant(stored) if stored else None

    @property
    def through(self) -> int:
        """Up to which notice sequence the policy service has acknowledged."""
        return int(self.store.get("through") or 0)

    @property
    def proven_recipients(self) -> frozenset[str]:
        """Escrow keys that the policy service has shown it can open."""
        return frozenset((self.store.get("recipients") or "").split())

"""What the parts of the policy service share: configuration, keys, trust, regime, store and custody log."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from daemon.custody.log import CustodyLog, NewEntry
from daemon.model import strict_json
from daemon.model.clock import Clock
from daemon.model.config import PolicyConfig
from daemon.model.custody_actions import CustodyAction
from daemon.model.errors import BwcError
from daemon.model.times import truncate
from daemon.model.topics import Topics
from daemon.model.types import Document
from daemon.policy.metrics import PolicyMetrics
from daemon.policy.rules.regime import Regime
from daemon.policy.store.store import PolicyDatabase
from daemon.seal.keys import OpenKey, SignKey, keyid
from daemon.seal.trust import Trust

_MOST_REMEMBERED = 10_000


@dataclass
class PolicyContext:
    """One policy service. Used on the thread of its loop only.

    `sign_key` signs orders and acknowledgements. `open_key` is the escrow key: it opens the data keys of clips.
    """

    config: PolicyConfig
    clock: Clock
    store: PolicyDatabase
    custody: CustodyLog
    regime: Regime
    trust: Trust
    sign_key: SignKey
    open_key: OpenKey
    topics: Topics
    docks_to_acknowledge: set[str] = field(default_factory=set)
    """Docks that get an acknowledgement at the end of this transaction."""
    recorded_refusals: set[str] = field(default_factory=set)
    """Refusals that are in the custody log already."""
    metrics: PolicyMetrics = field(default_factory=PolicyMetrics)

    @functools.cached_property
    def open_keyid(self) -> str:
        """The id of the escrow key."""
        return keyid(self.open_key.public_key())

    def now(self) -> datetime:
        """The time in UTC, in milliseconds as documents have it."""
        return truncate(self.clock.now())

    def record(
        self, action: CustodyAction, clip_id: str | None, detail: dict[str, Any], attestations: tuple[str, ...]
    ) -> int:
        """Adds an entry to the service's custody log, in the current transaction. Returns the entry's sequence."""
        return self.custody.append(NewEntry(action, clip_id, detail, attestations), self.now())

    def refuse(self, what: str, error: BwcError, digest: str | None, clip_id: str | None = None) -> None:
        """Counts a refused message, and records it once: the same message repeated does not fill the log.

        `what` is the kind of message, `digest` the SHA-256 of what was refused.
        """
        name = self.count_refusal(what, error)
        key = f"{what} {name} {digest} {clip_id}"
        if key not in self.recorded_refusals:
            if len(self.recorded_refusals) >= _MOST_REMEMBERED:
                self.recorded_refusals.clear()
            self.recorded_refusals.add(key)
            detail = {"what": what, "error": name, "reason": str(error)[:500]}
            self.record(CustodyAction.REFUSED, clip_id, detail, (digest,) if digest else ())

    def count_refusal(self, what: str, error: BwcError) -> str:
        """Counts a refused message that is not recorded. Returns the name that it is counted under."""
        name = type(error).__name__
        self.store.count_refusal(what, name)
        self.metrics.count_refused(what, name)
        return name

    def publish(self, topic: str, document: Document, *, retain: bool) -> None:
        """Publishes a document after the current transaction is durable."""
        self.store.enqueue(topic, strict_json.dump(document.plain()), retain=retain)

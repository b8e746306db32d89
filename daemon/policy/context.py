"""What the policy service's parts share: its keys, store, log, regime, and how they say things to the world."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from daemon.custody.log import CustodyLog, Event
from daemon.model import strict_json
from daemon.model.clock import Clock
from daemon.model.config import PolicyConfig
from daemon.model.errors import BwcError
from daemon.model.times import truncate
from daemon.model.topics import Topics
from daemon.model.types import Document
from daemon.policy.metrics import PolicyMetrics
from daemon.policy.rules.regime import Regime
from daemon.policy.store.store import PolicyStore
from daemon.seal.keys import OpenKey, SignKey, keyid
from daemon.seal.trust import Trust


@dataclass
class PolicyContext:
    """One policy service. Everything here belongs to its loop's thread."""

    config: PolicyConfig
    clock: Clock
    store: PolicyStore
    custody: CustodyLog
    regime: Regime
    trust: Trust
    sign_key: SignKey
    open_key: OpenKey
    topics: Topics
    heard: set[str] = field(default_factory=set)
    """Docks that are owed an acknowledgement after this transaction."""
    refused: set[str] = field(default_factory=set)
    """Refusals recorded already."""
    metrics: PolicyMetrics = field(default_factory=PolicyMetrics)

    @functools.cached_property
    def open_keyid(self) -> str:
        """The escrow key's id."""
        return keyid(self.open_key.public_key())

    def now(self) -> datetime:
        return truncate(self.clock.now())

    def record(self, action: str, clip_id: str | None, detail: dict[str, Any], attestations: tuple[str, ...]) -> int:
        """Adds to the policy service's own log, in the current transaction."""
        return self.custody.append(Event(action, clip_id, detail, attestations), self.now())

    def refuse(self, what: str, error: BwcError, digest: str | None, clip_id: str | None = None) -> None:
        """A refusal is counted always, and recorded once (repeats of the same do not fill the log)."""
        name = type(error).__name__
        self.store.count_refusal(what, name)
        self.metrics.refused(what, name)
        key = f"{what} {name} {digest} {clip_id}"
        if key not in self.refused:
            if len(self.refused) >= 10_000:
                self.refused.clear()
            self.refused.add(key)
            detail = {"what": what, "error": name, "reason": str(error)[:500]}
            self.record("refused", clip_id, detail, (digest,) if digest else ())

    def post(self, topic: str, document: Document, *, retain: bool) -> None:
        """Publishes a document once the transaction is durable."""
        self.store.enqueue(topic, strict_json.dump(document.plain()), retain=retain)

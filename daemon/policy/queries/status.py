"""The policy service's status, which it publishes every few seconds, so that everybody sees whether it is there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from daemon import __version__
from daemon.model import strict_json
from daemon.model.query_results import PolicyStatus
from daemon.policy.context import PolicyContext

STATUS_SECONDS = 10.0
"""How often the status is published."""


def offline(context: PolicyContext) -> bytes:
    """The service's last will, and what it says itself when it stops."""
    now = context.now()
    return strict_json.dump(PolicyStatus(state="offline", since=now, said_at=now, version=__version__).plain())


def online(context: PolicyContext, counts: Mapping[str, int], since: datetime, *, catching_up: bool) -> bytes:
    """How the service is now. `counts`: as the store counts. `since`: when it began to serve."""
    status = PolicyStatus(
        state="online",
        since=since,
        said_at=context.now(),
        version=__version__,
        regime=context.regime.name,
        regime_sha256=context.regime.sha256,
        trust_version=context.trust.version,
        catching_up=catching_up,
        open_requests=counts["open_requests"],
        live_orders=counts["live_orders"],
        overdue_clips=counts["overdue_clips"],
        waiting=counts["outbox_messages"],
        docks=context.store.docks(),
    )
    return strict_json.dump(status.plain())

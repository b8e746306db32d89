"""Whether a dock's clock and this one agree: by the newest notice of that dock, when it was written and when heard.

A notice that came late looks like a clock that lags. Then nothing is ordered until the next one: the safe side.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from daemon.model.times import format_instant, parse_instant
from daemon.policy.context import PolicyContext

log = logging.getLogger(__name__)
AGREE = timedelta(hours=1)
"""How far the clocks may differ. Docks hold orders against the same limit."""
_LATELY = timedelta(days=7)


def heard(context: PolicyContext, dock_id: str, published_at: datetime) -> None:
    """Notes that a dock's newest notice was heard now, and when the dock says that it wrote it."""
    context.store.set(f"clock {dock_id}", f"{format_instant(context.now())} {format_instant(published_at)}")


def disagreement(context: PolicyContext, dock_id: str) -> str | None:
    """Why nothing may be ordered disposed on this dock for its clock or ours, in words; None when they agree."""
    found = _newest(context, dock_id)
    if found is None:
        return f"dock {dock_id} has not been heard for {_LATELY.days} days by this clock"
    at, published = found
    if abs(at - published) > AGREE:
        return (
            f"the clocks differ: dock {dock_id} wrote {format_instant(published)}, and here it was {format_instant(at)}"
        )
    return None


def differs(context: PolicyContext, dock_id: str) -> bool:
    """Whether the dock was heard lately, and its clock differs from ours."""
    return _newest(context, dock_id) is not None and disagreement(context, dock_id) is not None


def _newest(context: PolicyContext, dock_id: str) -> tuple[datetime, datetime] | None:
    """When the dock was last heard, if lately, and when it wrote that."""
    found = context.store.get(f"clock {dock_id}")
    if found is None:
        return None
    at, published = (parse_instant(part) for part in found.split())
    return (at, published) if abs(context.now() - at) <= _LATELY else None


def agree(context: PolicyContext, dock_id: str) -> bool:
    """Whether they agree. That they do not is said once, until they do again."""
    said, why = f"clock said {dock_id}", disagreement(context, dock_id)
    if why is None:
        context.store.unset(said)
    elif context.store.get(said) is None:
        context.store.set(said, format_instant(context.now()))
        log.warning("nothing is disposed of on dock %s: %s", dock_id, why, extra={"dock_id": dock_id})
    return why is None

"""What a compliance report needs of a dock's store, read while the dock runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from daemon.core.dispatch.activation import Assignment, Clip, newest_stops
from daemon.database.sqlite import read_only
from daemon.dock.dispatch.tags import worn_of
from daemon.dock.store.dispatch import DispatchStore
from daemon.dock.store.store import clip_rows
from daemon.model.config import DockConfig
from daemon.model.times import format_instant

_AROUND = timedelta(days=2)


@dataclass(frozen=True)
class Recorded:
    """Clips (skew-corrected) and assignments of a period, and (source, reason) of documents set aside."""

    clips: list[Clip]
    assignments: list[Assignment]
    docked_until: dict[str, datetime]
    set_aside: list[tuple[str, str]]


def read(config: DockConfig, begin: datetime, end: datetime) -> Recorded:
    """Everything that bears on assignments dispatched, and clips started, in [begin, end)."""
    with read_only(config.state / "dock.sqlite") as db:
        dispatch = DispatchStore(db, create=False)
        span = (format_instant(begin - _AROUND), format_instant(end + _AROUND))
        rows = clip_rows(db, "started_at BETWEEN ? AND ?", *span)
        worn = [found.corrected(config.ingest.max_skew_seconds) for row in rows if (found := worn_of(row)) is not None]
        assignments = dispatch.between(begin - _AROUND, end + _AROUND)
        return Recorded(worn, assignments, newest_stops(worn), dispatch.set_aside_rows())

"""What a compliance report needs of a dock's store, read while the dock runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from daemon.core.dispatch.activation import Assignment, Clip, newest_stops
from daemon.core.dispatch.excusals import Excusals
from daemon.core.dispatch.merges import Joined
from daemon.core.dispatch.unclear import UnknownCrew
from daemon.core.windows import LONGEST_CALL
from daemon.database.sqlite import read_only
from daemon.dock.store.dispatch import DispatchStore
from daemon.dock.store.rows import clip_rows, recording_of
from daemon.model.config import DockConfig
from daemon.model.times import format_instant


@dataclass(frozen=True)
class Recorded:
    """Clips (skew-corrected), assignments, merges and calls of unknown crew of a period; (source, reason) of what was
    set aside; and for each clip the calls of unknown crew that may have been its officer's.
    """

    clips: list[Clip]
    assignments: list[Assignment]
    merges: tuple[Joined, ...]
    docked_until: dict[str, datetime]
    set_aside: list[tuple[str, str]]
    unknown: list[UnknownCrew]
    perhaps: dict[str, tuple[UnknownCrew, ...]]
    excusals: Excusals


def read(config: DockConfig, begin: datetime, end: datetime) -> Recorded:
    """Everything that bears on assignments dispatched, and clips started, in [begin, end)."""
    with read_only(config.state / "dock.sqlite") as db:
        dispatch = DispatchStore(db, create=False)
        span = (format_instant(begin - LONGEST_CALL), format_instant(end + LONGEST_CALL))
        rows = clip_rows(db, "started_at BETWEEN ? AND ?", *span)
        skew = config.ingest.max_skew_seconds
        clips = [found.corrected(skew) for row in rows if (found := recording_of(row)) is not None]
        assignments = dispatch.between(begin - LONGEST_CALL, end + LONGEST_CALL)
        unknown = dispatch.unclear.unknown_between(begin, end)
        merges = dispatch.merges({one.incident_id for one in assignments} | {one.incident_id for one in unknown})
        aside = dispatch.unclear.set_aside_rows()
        perhaps = {clip.clip_id: calls for clip in clips if (calls := dispatch.perhaps_theirs(clip))}
        excusals = Excusals(dispatch.excusals.all(), config.activation.excused_types)
        return Recorded(clips, assignments, merges, newest_stops(clips), aside, unknown, perhaps, excusals)

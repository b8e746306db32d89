"""Dispatch documents and the assignments worked out from them, in the dock's store.

A document touches only what it mentions: its incidents, those merged with them, and those waiting for a unit's crew.
What comes out is what daemon.core.dispatch.assignments makes of all documents at once.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from daemon.core.dispatch import eido, received
from daemon.core.dispatch.activation import Assignment, Clip
from daemon.core.dispatch.assignments import worked_out
from daemon.core.dispatch.crews import Crews
from daemon.core.dispatch.eido import Snapshot
from daemon.core.dispatch.merges import Joined, joined
from daemon.core.dispatch.spans import Span
from daemon.core.dispatch.unclear import UnknownCrew, perhaps_theirs
from daemon.core.windows import LONGEST_CALL, SHIFT
from daemon.dock.store import dispatch_history, dispatch_unclear, excusals
from daemon.dock.store.dispatch_history import DispatchHistory
from daemon.dock.store.dispatch_unclear import DispatchUnclear
from daemon.dock.store.excusals import ExcusalStore
from daemon.dock.store.tables import TO_READ
from daemon.model.errors import VerificationError
from daemon.model.times import format_instant, parse_instant

log = logging.getLogger(__name__)
SCHEMA = """
CREATE TABLE IF NOT EXISTS dispatch_document (
  digest TEXT PRIMARY KEY, received_at TEXT NOT NULL, as_of TEXT NOT NULL, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS dispatch_document_age ON dispatch_document (received_at);
CREATE TABLE IF NOT EXISTS dispatch_about (
  about TEXT, digest TEXT, PRIMARY KEY (about, digest)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS dispatch_about_document ON dispatch_about (digest);
CREATE TABLE IF NOT EXISTS dispatch_assignment (
  incident_id TEXT, unit_id TEXT, officer_id TEXT, dispatched_at TEXT, cleared_at TEXT, incident_type TEXT NOT NULL,
  matched_by TEXT NOT NULL, cancelled INTEGER NOT NULL, PRIMARY KEY (incident_id, unit_id, officer_id, dispatched_at)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS dispatch_assignment_officer ON dispatch_assignment (officer_id, dispatched_at);
"""
_ABOUT = """
SELECT digest FROM dispatch_about WHERE about = ?1
UNION ALL SELECT a.digest FROM dispatch_tracking t JOIN dispatch_about a ON a.about = t.tracking_id
  WHERE t.incident_id = ?1
"""
"""Documents that name an incident, or its tracking identifier."""
_LEFT = ("dispatch_document_3", TO_READ)
_BEFORE = "a document kept before"
_PROGRESS = 10_000
_AT_ONCE = 200


class DispatchStore:
    """Tables of dispatch in the dock's database; its transactions are the service's."""

    def __init__(self, db: sqlite3.Connection, *, create: bool = True) -> None:
        self._db = db
        self._history = DispatchHistory(db)
        self.unclear = DispatchUnclear(db)
        self.excusals = ExcusalStore(db)
        self._new: list[Snapshot] = []
        self.was_read_again = False
        """Whether an earlier version has left documents: then `work_out_anew` has something to do."""
        self._anew_after = ""
        if create:
            self._create()

    def add(self, data: bytes, received_at: datetime, source: str = "") -> tuple[str, ...]:
        """Keeps a document, unless it is known already, and notes its parts that cannot be used, which it returns.

        Raises VerificationError when nothing of it can be used.
        """
        digest = hashlib.sha256(data).hexdigest()
        if self._db.execute("SELECT 1 FROM dispatch_document WHERE digest = ?", (digest,)).fetchone():
            return ()
        snapshot = self._keep(digest, data, received_at, source)
        self._new.append(snapshot)
        return snapshot.set_aside

    def drain_new(self) -> Snapshot | None:
        """What the documents added since this was last asked say together; None when there are none."""
        new, self._new = self._new, []
        return eido.together(new) if new else None

    def set_aside(self, data: bytes, source: str, at: datetime, reason: str) -> bool:
        """Notes a document that cannot be used. Returns whether it is new."""
        return self.unclear.note(hashlib.sha256(data).hexdigest(), source, at, (at, at), [(0, reason)])

    def work_out(self, snapshot: Snapshot, cameras: Collection[str]) -> set[str]:
        """Brings the assignments up to date with what was added. Returns the officers whose own changed."""
        first, last = snapshot.span
        begin, end = first - SHIFT, last + SHIFT
        officers = {officer for status in snapshot.statuses for officer in status.officer_ids}
        # who was just seen on one unit is on no other, as far as anybody was named there in the same shift
        units = self._history.units_of(officers, begin - SHIFT, end + SHIFT)
        incidents = {incident.incident_id for incident in snapshot.incidents}
        return _officers(self._work_out(incidents | self._history.incidents_without_crew(units, begin, end), cameras))

    def recompute_for_wearer(self, officer_id: str, cameras: Collection[str]) -> list[tuple[str, Span]]:
        """Brings assignments up to date when an officer is known to wear a camera: calls that named only their unit, at
        whatever time, may be theirs, or nobody knows any more whose. Returns whose changed, and of when they are.
        """
        return _spans(self._work_out(self._history.incidents_without_named_crew(officer_id), cameras))

    def work_out_anew(self, cameras: Collection[str]) -> list[tuple[str, Span]]:
        """Brings some more assignments up to date where documents had to be read again, until `was_read_again` is no
        longer true. Returns whose changed, and of when they are.
        """
        rows = self._db.execute(
            "SELECT incident_id FROM dispatch_incident WHERE incident_id > ? ORDER BY incident_id LIMIT ?",
            (self._anew_after, _AT_ONCE),
        )
        some = [row[0] for row in rows]
        if not some:
            for left in _LEFT:
                self._db.execute(f"DROP TABLE IF EXISTS {left}")
            self.was_read_again = False
            return []
        self._anew_after = some[-1]
        return _spans(self._work_out(some, cameras))

    def _work_out(self, incident_ids: Collection[str], cameras: Collection[str]) -> set[Assignment]:
        incidents = self._history.merged(incident_ids)
        found = worked_out(self._history.history(incidents), Crews(self._history, cameras))
        self.unclear.replace(incidents, found.unknown)
        return self._replace(incidents, found.assignments)

    def perhaps_theirs(self, clip: Clip) -> tuple[UnknownCrew, ...]:
        """Calls of unknown crew in the time of a clip that may have been its officer's."""
        calls = self.unclear.unknown_between(clip.started_at, clip.stopped_at)
        return perhaps_theirs(calls, clip, self._history) if calls else ()

    def of_officer(self, officer_id: str, start: datetime, end: datetime) -> list[Assignment]:
        """The officer's assignments that overlap [start, end)."""
        rows = self._db.execute(
            "SELECT * FROM dispatch_assignment WHERE officer_id = ? AND dispatched_at < ? AND dispatched_at > ?"
            " AND (cleared_at IS NULL OR cleared_at > ?) ORDER BY dispatched_at, incident_id, unit_id",
            (officer_id, format_instant(end), format_instant(start - LONGEST_CALL), format_instant(start)),
        )
        return [_assignment(row) for row in rows]

    def between(self, start: datetime, end: datetime) -> list[Assignment]:
        """Every assignment dispatched in [start, end)."""
        rows = self._db.execute(
            "SELECT * FROM dispatch_assignment WHERE dispatched_at >= ? AND dispatched_at < ?",
            (format_instant(start), format_instant(end)),
        )
        return [_assignment(row) for row in rows]

    def merges(self, incident_ids: Collection[str]) -> tuple[Joined, ...]:
        """The merges in which one of these incidents, or one merged with it, has a part."""
        history = self._history.history(self._history.merged(incident_ids))
        return tuple(sorted(joined(history.merges, history.tracked)))

    def digests_of(self, incident_ids: Collection[str]) -> tuple[str, ...]:
        """The documents that mention these incidents, sorted."""
        found: set[str] = set()
        for incident_id in incident_ids:
            found |= {row[0] for row in self._db.execute(_ABOUT, (incident_id,))}
        return tuple(sorted(found))

    def prune(self, before: datetime) -> None:
        """Forgets documents received before, and assignments that ended with them."""
        limit = format_instant(before)
        self._db.execute(
            "DELETE FROM dispatch_about WHERE digest IN (SELECT digest FROM dispatch_document WHERE received_at < ?)",
            (limit,),
        )
        self._db.execute("DELETE FROM dispatch_document WHERE received_at < ?", (limit,))
        self._history.prune(before)
        self._db.execute("DELETE FROM dispatch_assignment WHERE coalesce(cleared_at, dispatched_at) < ?", (limit,))
        self.unclear.prune(before)
        self.excusals.prune(before)

    def _replace(self, incident_ids: Collection[str], found: Iterable[Assignment]) -> set[Assignment]:
        """Returns those that were gone or changed, before and after."""
        before: set[Assignment] = set()
        for incident_id in incident_ids:
            rows = self._db.execute("SELECT * FROM dispatch_assignment WHERE incident_id = ?", (incident_id,))
            before |= {_assignment(row) for row in rows}
        after = set(found)
        for gone in before - after:
            self._db.execute(
                "DELETE FROM dispatch_assignment WHERE incident_id = ? AND unit_id = ? AND officer_id = ?"
                " AND dispatched_at = ?",
                (gone.incident_id, gone.unit_id, gone.officer_id, format_instant(gone.dispatched_at)),
            )
        for new in after - before:
            self._db.execute("INSERT OR REPLACE INTO dispatch_assignment VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _row(new))
        return before ^ after

    def _create(self) -> None:
        """The tables; the documents that an earlier version has left are read again."""
        self._db.executescript(f"BEGIN; {SCHEMA} {dispatch_history.SCHEMA} {dispatch_unclear.SCHEMA} {excusals.SCHEMA}")
        for left in _LEFT:
            if self._db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (left,)).fetchone():
                self._read_again(left)
                self.was_read_again = True
        self._db.execute("COMMIT")

    def _read_again(self, left: str) -> None:
        rows = self._db.execute(f"SELECT digest, body, received_at FROM {left} ORDER BY received_at")  # noqa: S608 - ours
        for number, (digest, body, received_at) in enumerate(rows, 1):
            at = parse_instant(received_at)
            try:
                self._keep(digest, bytes(body), at, _BEFORE)
            except VerificationError as error:
                self.set_aside(bytes(body), _BEFORE, at, str(error))
            if number % _PROGRESS == 0:
                log.warning("a newer store: %d dispatch documents read again", number)
        self._db.execute(f"DELETE FROM {left}")  # noqa: S608 - ours

    def _keep(self, digest: str, data: bytes, received_at: datetime, source: str) -> Snapshot:
        snapshot = received.read(data)
        self._db.execute(
            "INSERT INTO dispatch_document VALUES (?, ?, ?, ?)",
            (digest, format_instant(received_at), format_instant(snapshot.as_of), data),
        )
        about = {incident.incident_id for incident in snapshot.incidents}
        about |= {name for merge in snapshot.merges for name in (merge.other, merge.internal) if name}
        self._db.executemany("INSERT INTO dispatch_about VALUES (?, ?)", [(name, digest) for name in sorted(about)])
        self._history.add(snapshot, received_at)
        if snapshot.set_aside:
            earliest, latest = snapshot.earliest or snapshot.as_of, snapshot.latest or received_at
            span = (earliest, max(earliest, latest))
            self.unclear.note(digest, source, received_at, span, enumerate(snapshot.set_aside, 1))
        return snapshot


def _officers(changed: Iterable[Assignment]) -> set[str]:
    return {assignment.officer_id for assignment in changed}


def _spans(changed: Iterable[Assignment]) -> list[tuple[str, Span]]:
    return [
        (one.officer_id, (one.dispatched_at, one.cleared_at or one.dispatched_at + LONGEST_CALL)) for one in changed
    ]


def _row(assignment: Assignment) -> tuple[Any, ...]:
    return (
        assignment.incident_id,
        assignment.unit_id,
        assignment.officer_id,
        format_instant(assignment.dispatched_at),
        format_instant(assignment.cleared_at) if assignment.cleared_at else None,
        assignment.incident_type,
        assignment.matched_by,
        assignment.cancelled,
    )


def _assignment(row: Any) -> Assignment:
    return Assignment(
        incident_id=row[0],
        unit_id=row[1],
        officer_id=row[2],
        dispatched_at=parse_instant(row[3]),
        cleared_at=parse_instant(row[4]) if row[4] else None,
        incident_type=row[5],
        matched_by=row[6],
        cancelled=bool(row[7]),
    )

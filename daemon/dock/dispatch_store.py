"""Dispatch documents and the assignments worked out from them, in the dock's store.

A document touches only what it mentions: its incidents, those merged with them, and those waiting for a unit's crew.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import OrderedDict
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from daemon.core import eido
from daemon.core.activation import Assignment
from daemon.core.assignments import assignments
from daemon.core.crews import SHIFT
from daemon.core.eido import Snapshot
from daemon.model import strict_json
from daemon.model.times import format_instant, parse_instant

SCHEMA = """
CREATE TABLE IF NOT EXISTS dispatch_document (
  digest TEXT PRIMARY KEY, received_at TEXT NOT NULL, as_of TEXT NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS dispatch_document_age ON dispatch_document (received_at);
CREATE TABLE IF NOT EXISTS dispatch_mention (
  what TEXT, name TEXT, at TEXT, digest TEXT, PRIMARY KEY (what, name, at, digest)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS dispatch_mention_document ON dispatch_mention (digest);
CREATE TABLE IF NOT EXISTS dispatch_assignment (
  incident_id TEXT, unit_id TEXT, officer_id TEXT, dispatched_at TEXT, cleared_at TEXT, incident_type TEXT NOT NULL,
  matched_by TEXT NOT NULL, PRIMARY KEY (incident_id, unit_id, officer_id, dispatched_at)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS dispatch_assignment_officer ON dispatch_assignment (officer_id, dispatched_at);
CREATE TABLE IF NOT EXISTS dispatch_set_aside (
  digest TEXT PRIMARY KEY, source TEXT NOT NULL, at TEXT NOT NULL, reason TEXT NOT NULL
) WITHOUT ROWID;
"""
_LONGEST = timedelta(days=2)
"""An assignment that is still open after so long is not looked for any more."""
_PARSED = 5000


class DispatchStore:
    """Tables of dispatch in the dock's database; its transactions are the service's."""

    def __init__(self, db: sqlite3.Connection, *, create: bool = True) -> None:
        self._db = db
        self._parsed: OrderedDict[str, Snapshot] = OrderedDict()
        self._news: list[Snapshot] = []
        if create:
            db.executescript(SCHEMA)

    def add(self, data: bytes, received_at: datetime) -> None:
        """Keeps a document, unless it is known already. Raises VerificationError when it cannot be used."""
        digest = hashlib.sha256(data).hexdigest()
        if self._db.execute("SELECT 1 FROM dispatch_document WHERE digest = ?", (digest,)).fetchone():
            return
        snapshot = eido.parse(strict_json.parse_object(data, what="dispatch document", limit=eido.LIMIT))
        self._db.execute(
            "INSERT INTO dispatch_document VALUES (?, ?, ?, ?)",
            (digest, format_instant(received_at), format_instant(snapshot.as_of), data),
        )
        rows = [(what, name, format_instant(at), digest) for what, name, at in _mentions(snapshot)]
        self._db.executemany("INSERT OR IGNORE INTO dispatch_mention VALUES (?, ?, ?, ?)", rows)
        self._remember(digest, snapshot)
        self._news.append(snapshot)

    def take_news(self) -> Snapshot | None:
        """What the documents added since this was last asked say together; None when there are none."""
        news, self._news = self._news, []
        return eido.together(news) if news else None

    def set_aside(self, data: bytes, source: str, at: datetime, reason: str) -> bool:
        """Notes a document that cannot be used. Returns whether it is new."""
        row = (hashlib.sha256(data).hexdigest(), source[:200], format_instant(at), reason[:500])
        return self._db.execute("INSERT OR IGNORE INTO dispatch_set_aside VALUES (?, ?, ?, ?)", row).rowcount == 1

    def set_aside_rows(self) -> list[tuple[str, str]]:
        """(source, reason) of every document set aside."""
        return [
            (row[0], row[1]) for row in self._db.execute("SELECT source, reason FROM dispatch_set_aside ORDER BY at")
        ]

    def work_out(self, snapshot: Snapshot, cameras: Collection[str]) -> set[str]:
        """Brings the assignments up to date with what was added. Returns the officers whose own changed."""
        units = {status.unit_id for status in snapshot.statuses}
        officers = {officer for status in snapshot.statuses for officer in status.officer_ids}
        incidents = self._merged({incident.incident_id for incident in snapshot.incidents}, snapshot)
        evidence = self._documents("incident", incidents)
        evidence |= self._around("unit", units, snapshot) | self._around("officer", officers, snapshot)
        known = [self._snapshot(digest) for digest in sorted(evidence)]
        incidents |= {s.incident_id for one in known for s in one.statuses if s.unit_id in units and not s.officer_ids}
        known += [self._snapshot(digest) for digest in sorted(self._documents("incident", incidents) - evidence)]
        return self._replace(incidents, assignments(known, cameras, incidents))

    def mentioning(self, officer_id: str, around: datetime) -> Snapshot | None:
        """What documents that name an officer within a shift of a time say together; None when there are none."""
        span = (format_instant(around - SHIFT), format_instant(around + SHIFT))
        rows = self._db.execute(
            "SELECT DISTINCT digest FROM dispatch_mention WHERE what = 'officer' AND name = ? AND at BETWEEN ? AND ?",
            (officer_id, *span),
        ).fetchall()
        return eido.together([self._snapshot(row[0]) for row in rows]) if rows else None

    def _merged(self, incidents: set[str], snapshot: Snapshot) -> set[str]:
        """With every incident they were merged with, as far as any document says."""
        found = set(incidents)
        found |= {merge.other_id for merge in snapshot.merges if merge.other_id is not None}
        waiting = list(found)
        while waiting:
            for digest in self._documents("incident", {waiting.pop()}):
                for merge in self._snapshot(digest).merges:
                    new = {merge.incident_id, merge.other_id or merge.incident_id} - found
                    found |= new
                    waiting += new
        return found

    def of_officer(self, officer_id: str, start: datetime, end: datetime) -> list[Assignment]:
        """The officer's assignments that overlap [start, end)."""
        rows = self._db.execute(
            "SELECT * FROM dispatch_assignment WHERE officer_id = ? AND dispatched_at < ? AND dispatched_at > ?"
            " AND (cleared_at IS NULL OR cleared_at > ?) ORDER BY dispatched_at, incident_id, unit_id",
            (officer_id, format_instant(end), format_instant(start - _LONGEST), format_instant(start)),
        )
        return [_assignment(row) for row in rows]

    def between(self, start: datetime, end: datetime) -> list[Assignment]:
        """Every assignment dispatched in [start, end)."""
        rows = self._db.execute(
            "SELECT * FROM dispatch_assignment WHERE dispatched_at >= ? AND dispatched_at < ?",
            (format_instant(start), format_instant(end)),
        )
        return [_assignment(row) for row in rows]

    def digests_of(self, incident_ids: Collection[str]) -> tuple[str, ...]:
        """The documents that mention these incidents, sorted."""
        return tuple(sorted(self._documents("incident", incident_ids)))

    def prune(self, before: datetime) -> None:
        """Forgets documents received before, and assignments that ended with them."""
        limit = format_instant(before)
        self._db.execute(
            "DELETE FROM dispatch_mention WHERE digest IN (SELECT digest FROM dispatch_document WHERE received_at < ?)",
            (limit,),
        )
        self._db.execute("DELETE FROM dispatch_document WHERE received_at < ?", (limit,))
        self._db.execute("DELETE FROM dispatch_assignment WHERE coalesce(cleared_at, dispatched_at) < ?", (limit,))
        self._db.execute("DELETE FROM dispatch_set_aside WHERE at < ?", (limit,))

    def _replace(self, incident_ids: Collection[str], found: Iterable[Assignment]) -> set[str]:
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
            self._db.execute("INSERT OR REPLACE INTO dispatch_assignment VALUES (?, ?, ?, ?, ?, ?, ?)", _row(new))
        return {assignment.officer_id for assignment in before ^ after}

    def _documents(self, what: str, names: Collection[str]) -> set[str]:
        found = set()
        for name in names:
            rows = self._db.execute("SELECT digest FROM dispatch_mention WHERE what = ? AND name = ?", (what, name))
            found |= {row[0] for row in rows}
        return found

    def _around(self, what: str, names: Collection[str], snapshot: Snapshot) -> set[str]:
        """Documents that mention the names within a shift of this one's times."""
        times = [status.at for status in snapshot.statuses] or [snapshot.as_of]
        span = (format_instant(min(times) - SHIFT), format_instant(max(times) + SHIFT))
        found = set()
        for name in names:
            rows = self._db.execute(
                "SELECT digest FROM dispatch_mention WHERE what = ? AND name = ? AND at BETWEEN ? AND ?",
                (what, name, *span),
            )
            found |= {row[0] for row in rows}
        return found

    def _snapshot(self, digest: str) -> Snapshot:
        snapshot = self._parsed.get(digest)
        if snapshot is None:
            body = self._db.execute("SELECT body FROM dispatch_document WHERE digest = ?", (digest,)).fetchone()[0]
            snapshot = eido.parse(strict_json.parse_object(bytes(body), what="dispatch document", limit=eido.LIMIT))
            self._remember(digest, snapshot)
        return snapshot

    def _remember(self, digest: str, snapshot: Snapshot) -> None:
        self._parsed[digest] = snapshot
        if len(self._parsed) > _PARSED:
            self._parsed.popitem(last=False)


def _mentions(snapshot: Snapshot) -> set[tuple[str, str, datetime]]:
    found = {("incident", incident.incident_id, incident.at) for incident in snapshot.incidents}
    found |= {("incident", merge.other_id, snapshot.as_of) for merge in snapshot.merges if merge.other_id}
    found |= {("unit", status.unit_id, status.at) for status in snapshot.statuses}
    found |= {("officer", officer, status.at) for status in snapshot.statuses for officer in status.officer_ids}
    return found


def _row(assignment: Assignment) -> tuple[Any, ...]:
    return (
        assignment.incident_id,
        assignment.unit_id,
        assignment.officer_id,
        format_instant(assignment.dispatched_at),
        format_instant(assignment.cleared_at) if assignment.cleared_at else None,
        assignment.incident_type,
        assignment.matched_by,
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
    )

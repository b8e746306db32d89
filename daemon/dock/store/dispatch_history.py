"""What dispatch documents say, each thing once, in the dock's store: statuses, merges, and who was named on which unit.

Documents repeat each other; only what a new one touches is read again.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from functools import cache, lru_cache

from daemon.core.dispatch.assignments import History
from daemon.core.dispatch.crews import CrewSighting
from daemon.core.dispatch.eido import Merge, Snapshot, Status
from daemon.model.times import format_instant, parse_instant

SCHEMA = """
CREATE TABLE IF NOT EXISTS dispatch_incident (
  incident_id TEXT PRIMARY KEY, incident_type TEXT NOT NULL, at TEXT NOT NULL, said_on TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dispatch_status (
  incident_id TEXT, unit_id TEXT, at TEXT, status TEXT, officer_ids TEXT, said_on TEXT NOT NULL,
  PRIMARY KEY (incident_id, unit_id, at, status, officer_ids)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS dispatch_status_unnamed ON dispatch_status (unit_id, at) WHERE officer_ids = '';
CREATE TABLE IF NOT EXISTS dispatch_named (
  unit_id TEXT, at TEXT, officer_id TEXT, said_on TEXT NOT NULL, PRIMARY KEY (unit_id, at, officer_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS dispatch_named_officer ON dispatch_named (officer_id, at);
CREATE TABLE IF NOT EXISTS dispatch_tracking (
  tracking_id TEXT, incident_id TEXT, said_on TEXT NOT NULL, PRIMARY KEY (tracking_id, incident_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS dispatch_tracking_incident ON dispatch_tracking (incident_id);
CREATE TABLE IF NOT EXISTS dispatch_merge (
  incident_id TEXT, direction TEXT, other TEXT, internal TEXT NOT NULL, said_on TEXT NOT NULL,
  PRIMARY KEY (incident_id, direction, other)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS dispatch_merge_other ON dispatch_merge (other);
CREATE INDEX IF NOT EXISTS dispatch_merge_internal ON dispatch_merge (internal);
"""
_TABLES = ("dispatch_incident", "dispatch_status", "dispatch_named", "dispatch_tracking", "dispatch_merge")
_SEPARATOR = "\n"
"""Between names in one column; it stands in no id."""
_CALLED = """
SELECT i.incident_type, t.tracking_id
FROM dispatch_incident i LEFT JOIN dispatch_tracking t ON t.incident_id = i.incident_id WHERE i.incident_id = ?
"""
_MERGED_WITH = """
SELECT t.incident_id FROM dispatch_merge m JOIN dispatch_tracking t ON t.tracking_id = m.other WHERE m.incident_id = ?1
UNION ALL SELECT internal FROM dispatch_merge WHERE incident_id = ?1 AND internal <> ''
UNION ALL SELECT incident_id FROM dispatch_merge WHERE internal = ?1
UNION ALL SELECT m.incident_id FROM dispatch_tracking t JOIN dispatch_merge m ON m.other = t.tracking_id
  WHERE t.incident_id = ?1
UNION ALL SELECT incident_id FROM dispatch_tracking WHERE tracking_id = ?1
UNION ALL SELECT i.incident_id FROM dispatch_tracking t JOIN dispatch_incident i ON i.incident_id = t.tracking_id
  WHERE t.incident_id = ?1
"""
"""The incidents that one is merged with, whichever of the two says so, by tracking identifier or by internal id; and
the same incident under its other name."""

_instant = lru_cache(maxsize=4096)(parse_instant)


class DispatchHistory:
    """Tables in the dock's database, and the sightings (daemon.core.dispatch.crews) that crews are worked out from."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, snapshot: Snapshot, received_at: datetime) -> None:
        """`said_on` is the newest day on which each thing was received, for `prune`."""
        day = _day(received_at)
        self._db.executemany(
            "INSERT INTO dispatch_incident VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET incident_type ="
            " CASE WHEN (excluded.at, excluded.incident_type) > (at, incident_type) THEN excluded.incident_type"
            " ELSE incident_type END, at = max(at, excluded.at), said_on = max(said_on, excluded.said_on)",
            [(one.incident_id, one.incident_type, format_instant(one.at), day) for one in snapshot.incidents],
        )
        said = [(one, format_instant(one.at)) for one in snapshot.statuses]
        self._db.executemany(
            _insert("dispatch_status", 6),
            [(one.incident_id, one.unit_id, at, one.status, _SEPARATOR.join(one.officer_ids), day) for one, at in said],
        )
        self._db.executemany(
            _insert("dispatch_named", 4),
            {(one.unit_id, at, officer_id, day) for one, at in said for officer_id in one.officer_ids},
        )
        if snapshot.merges:
            self._db.executemany(
                _insert("dispatch_merge", 5),
                [(one.incident_id, one.direction, one.other, one.internal or "", day) for one in snapshot.merges],
            )
        self._db.executemany(
            _insert("dispatch_tracking", 3),
            [(one.tracking_id, one.incident_id, day) for one in snapshot.incidents if one.tracking_id is not None],
        )

    def prune(self, before: datetime) -> None:
        """Forgets what no document said on that day or later."""
        for table in _TABLES:
            self._db.execute(f"DELETE FROM {table} WHERE said_on < ?", (_day(before),))  # noqa: S608 - ours

    def merged(self, incident_ids: Collection[str]) -> set[str]:
        """With every incident they were merged with, as far as any document says."""
        found, waiting = set(incident_ids), list(incident_ids)
        while waiting:
            new = {row[0] for row in self._db.execute(_MERGED_WITH, (waiting.pop(),))} - found
            found |= new
            waiting += new
        return found

    def history(self, incident_ids: Collection[str]) -> History:
        """Everything said of these incidents; with one, those that it is merged with must be among them."""
        types: dict[str, str] = {}
        tracked: dict[str, set[str]] = defaultdict(set)
        statuses: list[Status] = []
        merges: list[Merge] = []
        for incident_id in incident_ids:
            key = (incident_id,)
            for incident_type, tracking_id in self._db.execute(_CALLED, key):
                types[incident_id] = incident_type
                if tracking_id is not None:
                    tracked[tracking_id].add(incident_id)
            if incident_id not in types:
                continue  # only a merge has named it so far
            statuses.extend(
                Status(
                    incident_id,
                    unit_id,
                    _names(officer_ids),
                    status,
                    _instant(at),
                )
                for unit_id, at, status, officer_ids in self._db.execute(
                    "SELECT unit_id, at, status, officer_ids FROM dispatch_status WHERE incident_id = ?", key
                )
            )
            merges.extend(
                Merge(incident_id, direction, other, internal or None)
                for direction, other, internal in self._db.execute(
                    "SELECT direction, other, internal FROM dispatch_merge WHERE incident_id = ?", key
                )
            )
        return History(types, tracked, statuses, merges)

    def incidents_without_named_crew(self, officer_id: str) -> set[str]:
        """Incidents on which a status names no officer, of the units on which this one was ever named."""
        rows = self._db.execute(
            "SELECT DISTINCT incident_id FROM dispatch_status WHERE officer_ids = ''"
            " AND unit_id IN (SELECT unit_id FROM dispatch_named WHERE officer_id = ?)",
            (officer_id,),
        )
        return {row[0] for row in rows}

    def incidents_without_crew(self, unit_ids: Collection[str], begin: datetime, end: datetime) -> set[str]:
        """Incidents on which a status of one of the units between two times names no officer."""
        return self._each(
            "SELECT DISTINCT incident_id FROM dispatch_status"
            " WHERE officer_ids = '' AND unit_id = ? AND at BETWEEN ? AND ?",
            *(unit_ids, begin, end),
        )

    def units_of(self, officer_ids: Collection[str], begin: datetime, end: datetime) -> set[str]:
        """Units on which one of the officers was named between two times."""
        return self._each(
            "SELECT DISTINCT unit_id FROM dispatch_named WHERE officer_id = ? AND at BETWEEN ? AND ?",
            *(officer_ids, begin, end),
        )

    def crew_before(self, unit_id: str, at: datetime) -> CrewSighting | None:
        """Who was last named on a unit at or before a time; None when nobody was."""
        return self._sighting(
            "SELECT at, officer_id FROM dispatch_named WHERE unit_id = ?1"
            " AND at = (SELECT max(at) FROM dispatch_named WHERE unit_id = ?1 AND at <= ?2)",
            *(unit_id, at),
        )

    def crew_after(self, unit_id: str, at: datetime) -> CrewSighting | None:
        """Who was next named on a unit after a time; None when nobody was."""
        return self._sighting(
            "SELECT at, officer_id FROM dispatch_named WHERE unit_id = ?1"
            " AND at = (SELECT min(at) FROM dispatch_named WHERE unit_id = ?1 AND at > ?2)",
            *(unit_id, at),
        )

    def units_before(self, officer_id: str, at: datetime) -> CrewSighting | None:
        """The units on which an officer was last named at or before a time; None for none."""
        return self._sighting(
            "SELECT at, unit_id FROM dispatch_named WHERE officer_id = ?1"
            " AND at = (SELECT max(at) FROM dispatch_named WHERE officer_id = ?1 AND at <= ?2)",
            *(officer_id, at),
        )

    def _each(self, query: str, names: Collection[str], begin: datetime, end: datetime) -> set[str]:
        span = (format_instant(begin), format_instant(end))
        return {row[0] for name in names for row in self._db.execute(query, (name, *span))}

    def _sighting(self, query: str, name: str, at: datetime) -> CrewSighting | None:
        rows = self._db.execute(query, (name, format_instant(at))).fetchall()
        return (_instant(rows[0][0]), frozenset(row[1] for row in rows)) if rows else None


@cache
def _insert(table: str, columns: int) -> str:
    """What is there already is said anew."""
    values = ", ".join("?" * columns)
    again = "ON CONFLICT DO UPDATE SET said_on = excluded.said_on WHERE said_on < excluded.said_on"
    return f"INSERT INTO {table} VALUES ({values}) {again}"  # noqa: S608 - ours


def _names(column: str) -> tuple[str, ...]:
    return tuple(column.split(_SEPARATOR)) if column else ()


def _day(at: datetime) -> str:
    return format_instant(at)[:10]

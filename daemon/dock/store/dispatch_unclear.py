"""What dispatch leaves unclear, in the dock's store: calls of unknown crew, and what was set aside.

Where it changes, clips of that time say something else in their tags; the spans of time are gathered until asked for.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta

from daemon.core.dispatch.spans import Span
from daemon.core.dispatch.unclear import UnknownCrew
from daemon.core.windows import LONGEST_CALL, SHIFT
from daemon.model.times import format_instant, parse_instant

SCHEMA = """
CREATE TABLE IF NOT EXISTS dispatch_unknown (
  incident_id TEXT, unit_id TEXT, dispatched_at TEXT, cleared_at TEXT, incident_type TEXT NOT NULL,
  PRIMARY KEY (incident_id, unit_id, dispatched_at)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS dispatch_unknown_time ON dispatch_unknown (dispatched_at);
CREATE TABLE IF NOT EXISTS dispatch_set_aside (
  digest TEXT, part INTEGER, source TEXT NOT NULL, at TEXT NOT NULL, about_from TEXT NOT NULL,
  about_until TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (digest, part)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS dispatch_set_aside_time ON dispatch_set_aside (about_until);
CREATE INDEX IF NOT EXISTS dispatch_set_aside_first ON dispatch_set_aside (about_from);
"""
MANY = 10
"""From so many on one more makes no difference: a broken dispatch system must not have every clip signed anew."""
_STEPS = 100
"""So many changes of the count are looked at; what lies beyond them is taken to have changed."""
_INSTANT = timedelta(milliseconds=1)


class DispatchUnclear:
    """Tables in the dock's database; its transactions are the service's."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._changed: list[Span] = []
        self._incidents: set[str] | None = None
        """Those that have, or once had, a call of unknown crew: few, and the others need not be asked for."""

    def drain_changed(self) -> list[Span]:
        """The times in which something has changed since this was last asked."""
        changed, self._changed = self._changed, []
        return changed

    def note(self, digest: str, source: str, at: datetime, about: Span, parts: Iterable[tuple[int, str]]) -> bool:
        """Notes parts of a document about some time that cannot be used (0: all of it). Returns whether it is new."""
        fewer = list(self._fewer_than_many(about[0] - SHIFT, about[1] + LONGEST_CALL))
        when = (source[:200], *map(format_instant, (at, *about)))
        noted = self._db.executemany(
            "INSERT OR IGNORE INTO dispatch_set_aside VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(digest, part, *when, reason[:500]) for part, reason in parts],
        ).rowcount
        if noted:
            self._changed += fewer
        return noted > 0

    def set_aside_rows(self) -> list[tuple[str, str]]:
        """(source, reason) of every document, and every part of one, that was set aside."""
        rows = self._db.execute("SELECT source, reason FROM dispatch_set_aside ORDER BY at, digest, part")
        return [(row[0], row[1]) for row in rows]

    def set_aside_between(self, start: datetime, end: datetime) -> int:
        """How much was set aside that may be about this time: it may say who was on a unit before, or open a call."""
        row = self._db.execute(
            "SELECT count(*) FROM dispatch_set_aside WHERE about_until >= ? AND about_from <= ?",
            (format_instant(start - LONGEST_CALL), format_instant(end + SHIFT)),
        ).fetchone()
        return int(row[0])

    def _fewer_than_many(self, begin: datetime, end: datetime) -> Iterator[Span]:
        """The times between two (both included) at which less than MANY set aside count: there one more is a change."""
        for _ in range(_STEPS):
            if begin > end:
                return
            first, last = format_instant(begin - LONGEST_CALL), format_instant(begin + SHIFT)
            counting = self._db.execute(
                "SELECT about_until FROM dispatch_set_aside WHERE about_until >= ? AND +about_from <= ?"
                " ORDER BY about_until DESC LIMIT ?",
                (first, last, MANY),
            ).fetchall()
            if len(counting) == MANY:  # as long as the first of them to end still counts
                begin = parse_instant(counting[-1][0]) + LONGEST_CALL + _INSTANT
                continue
            [(next_from,)] = self._db.execute(
                "SELECT min(about_from) FROM dispatch_set_aside WHERE about_from > ?", (last,)
            )
            until = end if next_from is None else min(end, parse_instant(next_from) - SHIFT)
            yield begin, until
            if until == end:
                return
            begin = until
        yield begin, end

    def unknown_between(self, start: datetime, end: datetime) -> list[UnknownCrew]:
        """Calls of unknown crew that overlap [start, end)."""
        rows = self._db.execute(
            "SELECT * FROM dispatch_unknown WHERE dispatched_at < ? AND dispatched_at > ?"
            " AND (cleared_at IS NULL OR cleared_at > ?)",
            (format_instant(end), format_instant(start - LONGEST_CALL), format_instant(start)),
        )
        return [_unknown(row) for row in rows]

    def any_unknown_between(self, start: datetime, end: datetime) -> bool:
        """Whether a call of unknown crew was dispatched between two times."""
        sql = "SELECT 1 FROM dispatch_unknown WHERE dispatched_at BETWEEN ? AND ? LIMIT 1"
        return self._db.execute(sql, (format_instant(start), format_instant(end))).fetchone() is not None

    def replace(self, incident_ids: Collection[str], found: Collection[UnknownCrew]) -> None:
        """These are the incidents' calls of unknown crew from now on."""
        before: set[UnknownCrew] = set()
        if self._incidents is None:
            self._incidents = {row[0] for row in self._db.execute("SELECT incident_id FROM dispatch_unknown")}
        for incident_id in self._incidents.intersection(incident_ids):
            rows = self._db.execute("SELECT * FROM dispatch_unknown WHERE incident_id = ?", (incident_id,))
            before |= {_unknown(row) for row in rows}
        after = set(found)
        if before == after:
            return
        self._incidents.update(call.incident_id for call in after)
        for gone in before - after:
            self._db.execute(
                "DELETE FROM dispatch_unknown WHERE incident_id = ? AND unit_id = ? AND dispatched_at = ?",
                (gone.incident_id, gone.unit_id, format_instant(gone.dispatched_at)),
            )
        self._db.executemany(
            "INSERT OR REPLACE INTO dispatch_unknown VALUES (?, ?, ?, ?, ?)",
            [_row(new) for new in after - before],
        )
        self._changed += [
            (one.dispatched_at, one.cleared_at or one.dispatched_at + LONGEST_CALL) for one in before ^ after
        ]

    def prune(self, before: datetime) -> None:
        """Forgets what ended, or was set aside, before then."""
        limit = format_instant(before)
        self._db.execute("DELETE FROM dispatch_unknown WHERE coalesce(cleared_at, dispatched_at) < ?", (limit,))
        self._db.execute("DELETE FROM dispatch_set_aside WHERE at < ?", (limit,))


def _row(call: UnknownCrew) -> tuple[str, str, str, str | None, str]:
    end = format_instant(call.cleared_at) if call.cleared_at else None
    return call.incident_id, call.unit_id, format_instant(call.dispatched_at), end, call.incident_type


def _unknown(row: tuple[str, str, str, str | None, str]) -> UnknownCrew:
    incident_id, unit_id, dispatched_at, cleared_at, incident_type = row
    end = parse_instant(cleared_at) if cleared_at else None
    return UnknownCrew(incident_id, incident_type, unit_id, parse_instant(dispatched_at), end)

"""What the board knows of each clip, in a database of its own that disappears with the process.

A city has hundreds of thousands of retained notices. They are in a temporary file; only SQLite's cache is in memory.
Each row has the `generation` of the connection that brought it. So after a new connection the board can drop the rows
that the broker retains no longer.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from daemon.model.documents import Need, Notice, Standing
from daemon.model.times import format_instant

_SCHEMA = """
CREATE TABLE clip (
  dock_id TEXT, clip_id TEXT, generation INTEGER, sequence INTEGER, state TEXT, officer_id TEXT, recorded_at TEXT,
  document TEXT, PRIMARY KEY (dock_id, clip_id)) WITHOUT ROWID;
CREATE INDEX clip_state ON clip (state, recorded_at, clip_id);
CREATE TABLE clip_incident (incident_id TEXT, dock_id TEXT, clip_id TEXT, PRIMARY KEY (incident_id, dock_id, clip_id))
  WITHOUT ROWID;
CREATE TABLE assignment (
  dispatched_at TEXT, incident_id TEXT, officer_id TEXT, unit_id TEXT, dock_id TEXT, clip_id TEXT, verdict TEXT,
  after REAL, PRIMARY KEY (dispatched_at, incident_id, officer_id, unit_id, dock_id, clip_id)) WITHOUT ROWID;
CREATE INDEX assignment_clip ON assignment (dock_id, clip_id);
CREATE TABLE standing (
  dock_id TEXT, clip_id TEXT, generation INTEGER, due TEXT, document TEXT, PRIMARY KEY (dock_id, clip_id))
  WITHOUT ROWID;
CREATE INDEX standing_due ON standing (due) WHERE due IS NOT NULL;
"""
_JOINED = "SELECT clip.document, standing.document FROM clip LEFT JOIN standing USING (dock_id, clip_id)"
_ENVELOPES = ("seal_envelope", "capture_envelope", "tag_envelope")
UNKNOWN = "unknown"
"""The officer of a clip whose notice has no capture."""


@dataclass(frozen=True)
class ShownClip:
    """A clip: its notice without the envelopes, and its standing if the policy service has published one."""

    notice: Mapping[str, Any]
    standing: Standing | None

    @property
    def officer_id(self) -> str:
        """Who wore the camera, as its capture says."""
        return str((self.notice.get("capture") or {}).get("officer_id", UNKNOWN))

    @property
    def recorded_at(self) -> str:
        """When the recording began (RFC 3339). Without a capture: when the clip was ingested, or published."""
        return _recorded_at(self.notice)

    @property
    def incidents(self) -> tuple[str, ...]:
        """The clip's incidents: as the policy service published them, otherwise as the dock tagged them."""
        if self.standing is not None and self.standing.incidents:
            return self.standing.incidents
        assignments = (self.notice.get("activation") or {}).get("assignments", [])
        return tuple(dict.fromkeys(str(assignment["incident_id"]) for assignment in assignments))


@dataclass(frozen=True)
class ShownVerdict:
    """Whether the camera was on during one assignment of an officer, as far as clips show.

    `after`: seconds from dispatch until the recording was triggered, or None.
    """

    incident_id: str
    officer_id: str
    unit_id: str
    dispatched_at: str
    verdict: str
    after: float | None


@dataclass(frozen=True)
class OwedStatement:
    """A statement or report that is missing. `due`: until when; `clips`: how many clips wait for it."""

    incidents: tuple[str, ...]
    need: Need
    due: datetime
    clips: int


class ClipDatabase:
    """The board's tables. Not safe for two threads at once: whoever shares it between threads must lock."""

    def __init__(self) -> None:
        """Creates an empty database in a temporary file."""
        # SQLite gives an empty name to a temporary file that nobody else can open
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Closes the database, and with it deletes the file."""
        self._db.close()

    def batch(self) -> sqlite3.Connection:
        """A context manager: everything written in its block is one transaction."""
        self._db.execute("BEGIN")
        return self._db

    def put_notice(self, notice: Notice, generation: int) -> bool:
        """Keeps a notice, unless this connection brought a newer one of the clip. Returns whether it was kept."""
        key = (notice.dock_id, notice.clip_id)
        row = self._db.execute(
            "SELECT generation, sequence FROM clip WHERE dock_id = ? AND clip_id = ?", key
        ).fetchone()
        if row is not None and row[0] == generation and row[1] > notice.sequence:
            return False
        self._delete(*key)
        plain = {name: value for name, value in notice.plain().items() if name not in _ENVELOPES}
        known = ShownClip(plain, None)
        self._db.execute(
            "INSERT INTO clip VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (*key, generation, notice.sequence, notice.lock.state, known.officer_id, known.recorded_at, _dump(plain)),
        )
        for assignment in (plain.get("activation") or {}).get("assignments", []):
            self._put_assignment(key, known.officer_id, assignment)
        return True

    def _put_assignment(self, key: tuple[str, str], officer_id: str, assignment: Mapping[str, Any]) -> None:
        incident, after = assignment["incident_id"], assignment.get("triggered_after_seconds")
        self._db.execute("INSERT OR IGNORE INTO clip_incident VALUES (?, ?, ?)", (incident, *key))
        row = (assignment["dispatched_at"], incident, officer_id, assignment["unit_id"], *key)
        self._db.execute(
            "INSERT OR REPLACE INTO assignment VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*row, assignment["verdict"], after)
        )

    def put_standing(self, dock_id: str, standing: Standing, generation: int) -> None:
        """Keeps a clip's standing, in the place of an earlier one."""
        due = format_instant(standing.due) if standing.due else None
        row = (dock_id, standing.clip_id, generation, due, _dump(standing.plain()))
        self._db.execute("INSERT OR REPLACE INTO standing VALUES (?, ?, ?, ?, ?)", row)

    def drop_disposed(self, dock_id: str, clip_id: str) -> bool:
        """Drops a clip whose notice the dock has cleared, if it was disposed of. Returns whether it was dropped.

        A dock clears a notice only after a disposal, so any other clip stays.
        """
        state = self._db.execute("SELECT state FROM clip WHERE dock_id = ? AND clip_id = ?", (dock_id, clip_id))
        if state.fetchone() != ("disposed",):
            return False
        self._delete(dock_id, clip_id)
        self._db.execute("DELETE FROM standing WHERE dock_id = ? AND clip_id = ?", (dock_id, clip_id))
        return True

    def _delete(self, dock_id: str, clip_id: str) -> None:
        for table in ("clip", "clip_incident", "assignment"):
            self._db.execute(f"DELETE FROM {table} WHERE dock_id = ? AND clip_id = ?", (dock_id, clip_id))  # noqa: S608

    def drop_before(self, generation: int) -> None:
        """Drops what only earlier connections brought: the broker retains it no longer."""
        for key in self._db.execute("SELECT dock_id, clip_id FROM clip WHERE generation < ?", (generation,)).fetchall():
            self._delete(*key)
        self._db.execute("DELETE FROM standing WHERE generation < ?", (generation,))

    def clip(self, dock_id: str, clip_id: str) -> ShownClip | None:
        """One clip of one dock, or None."""
        rows = self._find("clip.dock_id = ? AND clip.clip_id = ?", (dock_id, clip_id), "")
        return next(rows, None)

    def page(self, state: str, search: str, most: int, skip: int) -> list[ShownClip]:
        """Clips in `state`, the newest recording first: at most `most`, after the first `skip`.

        `search` is the id of an officer, an incident or a clip, or empty for all.
        """
        where, values = "clip.state = ?", [state]
        if search:
            where += (
                " AND (clip.officer_id = ? OR clip.clip_id = ? OR (clip.dock_id, clip.clip_id) IN"
                " (SELECT dock_id, clip_id FROM clip_incident WHERE incident_id = ?))"
            )
            values += [search, search, search]
        order = "ORDER BY clip.recorded_at DESC, clip.clip_id LIMIT ? OFFSET ?"
        return list(self._find(where, (*values, most, skip), order))

    def _find(self, where: str, values: tuple[Any, ...], order: str) -> Iterator[ShownClip]:
        query = f"{_JOINED} WHERE {where} {order}"  # both are written above, never by a stranger
        for document, standing in self._db.execute(query, values):
            yield ShownClip(json.loads(document), Standing.model_validate_json(standing) if standing else None)

    def owed_statements(self, most: int) -> list[OwedStatement]:
        """At most `most` missing statements, those that are due first. Each once, however many clips wait for it."""
        found: dict[tuple[Any, ...], OwedStatement] = {}
        rows = self._db.execute("SELECT document FROM standing WHERE due IS NOT NULL ORDER BY due LIMIT 5000")
        for (document,) in rows:
            standing = Standing.model_validate_json(document)
            for need in standing.needs:
                if need.by is None:
                    continue
                key = (standing.incidents, need)
                clips = found[key].clips if key in found else 0
                found[key] = OwedStatement(standing.incidents, need, need.by, clips + 1)
        return sorted(found.values(), key=lambda owed: owed.due)[:most]

    def assignment_verdicts(self, since: datetime) -> list[ShownVerdict]:
        """Assignments dispatched since then, in this order. Each once, however many clips were recorded during it."""
        query = (
            "SELECT incident_id, assignment.officer_id, unit_id, dispatched_at, verdict, after"
            " FROM assignment JOIN clip USING (dock_id, clip_id) WHERE dispatched_at >= ? ORDER BY clip.sequence"
        )
        found: dict[tuple[str, ...], ShownVerdict] = {}
        for row in self._db.execute(query, (format_instant(since),)):
            found[row[:4]] = ShownVerdict(*row)  # the newest notice comes last, and counts
        return sorted(found.values(), key=lambda assignment: assignment.dispatched_at)


def _recorded_at(notice: Mapping[str, Any]) -> str:
    return str((notice.get("capture") or {}).get("started_at") or notice.get("ingested_at") or notice["published_at"])


def _dump(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))

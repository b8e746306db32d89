"""What the board knows of each clip, in a database of its own that vanishes with the process.

A city's retained notices are hundreds of thousands: they lie in a temporary file, and memory holds SQLite's cache.
Each row has the `generation` of the connection that brought it, so that what a broker no longer retains goes away.
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


@dataclass(frozen=True)
class Known:
    """A clip: its notice without the envelopes, and its standing, if the policy service has said one."""

    notice: Mapping[str, Any]
    standing: Standing | None

    @property
    def officer_id(self) -> str:
        return str((self.notice.get("capture") or {}).get("officer_id", UNKNOWN))

    @property
    def recorded_at(self) -> str:
        return _recorded_at(self.notice)

    @property
    def incidents(self) -> tuple[str, ...]:
        """As the policy service sees it, or else as dispatch had it."""
        if self.standing is not None and self.standing.incidents:
            return self.standing.incidents
        assignments = (self.notice.get("activation") or {}).get("assignments", [])
        return tuple(dict.fromkeys(str(assignment["incident_id"]) for assignment in assignments))


@dataclass(frozen=True)
class Judged:
    """How one assignment of an officer went, as far as clips tell. `after`: seconds from dispatch to the trigger."""

    incident_id: str
    officer_id: str
    unit_id: str
    dispatched_at: str
    verdict: str
    after: float | None


@dataclass(frozen=True)
class Owed:
    """A statement or report that is still missing, for so many clips, by then."""

    incidents: tuple[str, ...]
    need: Need
    due: datetime
    clips: int


class Clips:
    """The tables. Not safe for two threads at once: whoever shares it locks."""

    def __init__(self) -> None:
        # an empty name is a temporary file that nobody else can open
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        self._db.close()

    def batch(self) -> sqlite3.Connection:
        """A context manager: many changes at once."""
        self._db.execute("BEGIN")
        return self._db

    def put(self, notice: Notice, generation: int) -> bool:
        """Keeps a notice, unless a newer one of this connection is known; says whether it did."""
        key = (notice.dock_id, notice.clip_id)
        row = self._db.execute(
            "SELECT generation, sequence FROM clip WHERE dock_id = ? AND clip_id = ?", key
        ).fetchone()
        if row is not None and row[0] == generation and row[1] > notice.sequence:
            return False
        self._forget(*key)
        plain = {name: value for name, value in notice.plain().items() if name not in _ENVELOPES}
        known = Known(plain, None)
        self._db.execute(
            "INSERT INTO clip VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (*key, generation, notice.sequence, notice.lock.state, known.officer_id, known.recorded_at, _dump(plain)),
        )
        for assignment in (plain.get("activation") or {}).get("assignments", []):
            self._put_assignment(key, known.officer_id, assignment)
        return True

    def _put_assignment(self, key: tuple[str, str], officer_id: str, found: Mapping[str, Any]) -> None:
        incident, after = found["incident_id"], found.get("triggered_after_seconds")
        self._db.execute("INSERT OR IGNORE INTO clip_incident VALUES (?, ?, ?)", (incident, *key))
        row = (found["dispatched_at"], incident, officer_id, found["unit_id"], *key, found["verdict"], after)
        self._db.execute("INSERT OR REPLACE INTO assignment VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def put_standing(self, dock_id: str, standing: Standing, generation: int) -> None:
        due = format_instant(standing.due) if standing.due else None
        row = (dock_id, standing.clip_id, generation, due, _dump(standing.plain()))
        self._db.execute("INSERT OR REPLACE INTO standing VALUES (?, ?, ?, ?, ?)", row)

    def drop_disposed(self, dock_id: str, clip_id: str) -> bool:
        """A notice was taken back: that means something only after a disposal."""
        state = self._db.execute("SELECT state FROM clip WHERE dock_id = ? AND clip_id = ?", (dock_id, clip_id))
        if state.fetchone() != ("disposed",):
            return False
        self._forget(dock_id, clip_id)
        self._db.execute("DELETE FROM standing WHERE dock_id = ? AND clip_id = ?", (dock_id, clip_id))
        return True

    def _forget(self, dock_id: str, clip_id: str) -> None:
        for table in ("clip", "clip_incident", "assignment"):
            self._db.execute(f"DELETE FROM {table} WHERE dock_id = ? AND clip_id = ?", (dock_id, clip_id))  # noqa: S608

    def drop_older(self, generation: int) -> None:
        """What only an earlier connection brought is retained no more."""
        for key in self._db.execute("SELECT dock_id, clip_id FROM clip WHERE generation < ?", (generation,)).fetchall():
            self._forget(*key)
        self._db.execute("DELETE FROM standing WHERE generation < ?", (generation,))

    def one(self, dock_id: str, clip_id: str) -> Known | None:
        rows = self._known("clip.dock_id = ? AND clip.clip_id = ?", (dock_id, clip_id), "")
        return next(rows, None)

    def page(self, state: str, search: str, most: int, skip: int) -> list[Known]:
        """Clips in `state`, newest recording first; `search` is an officer, an incident or a clip, or empty."""
        where, values = "clip.state = ?", [state]
        if search:
            where += (
                " AND (clip.officer_id = ? OR clip.clip_id = ? OR (clip.dock_id, clip.clip_id) IN"
                " (SELECT dock_id, clip_id FROM clip_incident WHERE incident_id = ?))"
            )
            values += [search, search, search]
        order = "ORDER BY clip.recorded_at DESC, clip.clip_id LIMIT ? OFFSET ?"
        return list(self._known(where, (*values, most, skip), order))

    def _known(self, where: str, values: tuple[Any, ...], order: str) -> Iterator[Known]:
        query = f"{_JOINED} WHERE {where} {order}"  # both are ours
        for document, said in self._db.execute(query, values):
            yield Known(json.loads(document), Standing.model_validate_json(said) if said else None)

    def owed(self, most: int) -> list[Owed]:
        """What is due, the most urgent first: one line for each statement, however many clips wait for it."""
        found: dict[tuple[Any, ...], Owed] = {}
        rows = self._db.execute("SELECT document FROM standing WHERE due IS NOT NULL ORDER BY due LIMIT 5000")
        for (document,) in rows:
            standing = Standing.model_validate_json(document)
            for need in standing.needs:
                if need.by is None:
                    continue
                key = (standing.incidents, need)
                clips = found[key].clips if key in found else 0
                found[key] = Owed(standing.incidents, need, need.by, clips + 1)
        return sorted(found.values(), key=lambda owed: owed.due)[:most]

    def judged(self, since: datetime) -> list[Judged]:
        """Assignments dispatched since then, each once, however many clips tell of it."""
        query = (
            "SELECT incident_id, assignment.officer_id, unit_id, dispatched_at, verdict, after"
            " FROM assignment JOIN clip USING (dock_id, clip_id) WHERE dispatched_at >= ? ORDER BY clip.sequence"
        )
        found: dict[tuple[str, ...], Judged] = {}
        for row in self._db.execute(query, (format_instant(since),)):
            found[row[:4]] = Judged(*row)  # the newest notice knows best
        return sorted(found.values(), key=lambda judged: judged.dispatched_at)


def _recorded_at(notice: Mapping[str, Any]) -> str:
    return str((notice.get("capture") or {}).get("started_at") or notice.get("ingested_at") or notice["published_at"])


def _dump(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))

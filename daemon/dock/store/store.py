"""The dock's database: SQLite, WAL, `synchronous=FULL`. One thread owns it; a transaction is durable when it returns.

An error here leaves the outcome of a commit unknown, so it is NotDurableError: the daemon stops and starts again.
"""

from __future__ import annotations

import operator
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from daemon.core.lifecycle import State
from daemon.database.sqlite import Database
from daemon.model.times import format_instant

VERSION = 4
_REPLICA = """
CREATE TABLE to_replicate (
  clip_id TEXT PRIMARY KEY, turn INTEGER NOT NULL UNIQUE, change INTEGER NOT NULL, since TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX to_replicate_since ON to_replicate (since);
CREATE TABLE replica (
  clip_id TEXT PRIMARY KEY, ingested_at TEXT NOT NULL, evicted INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX replica_to_evict ON replica (ingested_at, clip_id) WHERE evicted = 0;
CREATE INDEX replica_evicted ON replica (clip_id) WHERE evicted = 1;
CREATE TABLE evicting (clip_id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE spool (bytes INTEGER NOT NULL);
INSERT INTO spool SELECT coalesce(sum(sealed_bytes), 0) FROM clip WHERE state <> 'disposed';
CREATE TRIGGER spool_grew AFTER INSERT ON clip BEGIN UPDATE spool SET bytes = bytes + NEW.sealed_bytes; END;
CREATE TRIGGER spool_disposed AFTER UPDATE OF state ON clip WHEN NEW.state = 'disposed' AND OLD.state <> 'disposed'
  AND NOT EXISTS (SELECT 1 FROM replica WHERE clip_id = NEW.clip_id AND evicted = 1) BEGIN
  UPDATE spool SET bytes = bytes - NEW.sealed_bytes;
END;
CREATE TRIGGER spool_evicted AFTER UPDATE OF evicted ON replica WHEN NEW.evicted = 1 AND OLD.evicted = 0 BEGIN
  UPDATE spool SET bytes = bytes - (SELECT sealed_bytes FROM clip WHERE clip_id = NEW.clip_id);
END;
"""
"""The tables of daemon.dock.store.replica."""
_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE clip (
  clip_id TEXT PRIMARY KEY, state TEXT NOT NULL, integrity TEXT NOT NULL, bay TEXT NOT NULL,
  camera_serial TEXT NOT NULL, officer_id TEXT NOT NULL, stem TEXT NOT NULL, footage TEXT NOT NULL,
  capture_sha256 TEXT, clip_sha256 TEXT NOT NULL, sealed_sha256 TEXT NOT NULL, sealed_bytes INTEGER NOT NULL,
  skew REAL NOT NULL, started_at TEXT, triggered_at TEXT, stopped_at TEXT, ingested_at TEXT NOT NULL,
  tag_revision INTEGER NOT NULL, activation TEXT NOT NULL, dispatch_due TEXT, sequence INTEGER NOT NULL UNIQUE,
  receipted INTEGER NOT NULL DEFAULT 0, erased INTEGER NOT NULL DEFAULT 0,
  cleared INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX clip_of_camera ON clip (camera_serial, stem);
CREATE INDEX clip_of_officer ON clip (officer_id, started_at);
CREATE INDEX clip_by_state ON clip (state);
CREATE TABLE tally (state TEXT PRIMARY KEY, clips INTEGER NOT NULL) WITHOUT ROWID;
CREATE TRIGGER clip_came AFTER INSERT ON clip BEGIN
  INSERT INTO tally VALUES (NEW.state, 1) ON CONFLICT (state) DO UPDATE SET clips = clips + 1;
END;
CREATE TRIGGER clip_moved AFTER UPDATE OF state ON clip WHEN OLD.state <> NEW.state BEGIN
  UPDATE tally SET clips = clips - 1 WHERE state = OLD.state;
  INSERT INTO tally VALUES (NEW.state, 1) ON CONFLICT (state) DO UPDATE SET clips = clips + 1;
END;
CREATE INDEX clip_to_erase ON clip (camera_serial) WHERE receipted = 1 AND erased = 0;
CREATE INDEX clip_to_clear ON clip (sequence) WHERE state = 'disposed' AND cleared = 0;
CREATE INDEX clip_by_due ON clip (dispatch_due) WHERE dispatch_due IS NOT NULL;
CREATE TABLE release_order (
  order_id TEXT PRIMARY KEY, clip_id TEXT NOT NULL, person_id TEXT NOT NULL, purpose TEXT NOT NULL,
  expires_at TEXT NOT NULL, deadline REAL NOT NULL, boot_id TEXT NOT NULL, remaining REAL NOT NULL, state TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX release_of_clip ON release_order (clip_id);
CREATE INDEX release_by_expiry ON release_order (state, expires_at);
CREATE INDEX release_by_deadline ON release_order (state, deadline);
CREATE TABLE seen (digest TEXT PRIMARY KEY, at TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE destroying (clip_id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE erasing (clip_id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE officer (officer_id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE staging (clip_id TEXT PRIMARY KEY, job TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE docking (camera_serial TEXT, docked_at TEXT, skew REAL NOT NULL, PRIMARY KEY (camera_serial, docked_at))
  WITHOUT ROWID;
"""
_TO_4 = """
ALTER TABLE replica DROP COLUMN statements;
INSERT OR IGNORE INTO to_replicate
  SELECT clip_id, base + row_number() OVER (ORDER BY ingested_at, clip_id), base, strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
  FROM replica, (SELECT coalesce(max(CAST(value AS INTEGER)), 0) AS base FROM meta WHERE key = 'replica_change');
UPDATE meta SET value = value + (SELECT count(*) FROM replica) WHERE key = 'replica_change';
DROP TABLE IF EXISTS dispatch_mention;
CREATE TABLE IF NOT EXISTS dispatch_document (
  digest TEXT PRIMARY KEY, received_at TEXT NOT NULL, as_of TEXT NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
DROP INDEX IF EXISTS dispatch_document_age;
ALTER TABLE dispatch_document RENAME TO dispatch_document_3;
"""
"""Clips are copied anew, their small files as one object; daemon.dock.store.dispatch reads its documents again."""
_STEPS = (
    "CREATE TABLE erasing (clip_id TEXT PRIMARY KEY) WITHOUT ROWID;",
    f"{_REPLICA} ALTER TABLE replica ADD COLUMN statements TEXT NOT NULL DEFAULT '';",
    _TO_4,
)
"""From each schema to the next, from the oldest still understood."""


@dataclass(frozen=True)
class ClipRow:
    """One clip the dock holds. Times as written in documents; `footage` identifies the file on its camera.

    `activation` is the fingerprint of what its tag says; `dispatch_due` until when dispatch must still speak.
    """

    clip_id: str
    state: State
    integrity: str
    bay: str
    camera_serial: str
    officer_id: str
    stem: str
    footage: str
    capture_sha256: str | None
    clip_sha256: str
    sealed_sha256: str
    sealed_bytes: int
    skew: float
    started_at: str | None
    triggered_at: str | None
    stopped_at: str | None
    ingested_at: str
    tag_revision: int
    activation: str
    dispatch_due: str | None
    sequence: int
    receipted: bool = False
    erased: bool = False

    @classmethod
    def of(cls, row: Any) -> ClipRow:
        values = list(row)
        values[1], values[-2], values[-1] = State(values[1]), bool(values[-2]), bool(values[-1])
        return cls(*values)


@dataclass(frozen=True)
class OrderRow:
    """A release order this dock honoured.

    `deadline` is its end in seconds on the clock of the boot `boot_id`, `remaining` what it had left when persisted.
    """

    order_id: str
    clip_id: str
    person_id: str
    purpose: str
    expires_at: str
    deadline: float
    boot_id: str
    remaining: float
    state: str


_SKEW = timedelta(days=1)
_LONGEST = timedelta(days=3)
"""Bounds of a search by time: no applied skew and no recording is longer."""
_CLIP_NAMES = [field.name for field in fields(ClipRow)]
_CLIP_FIELDS = ", ".join(_CLIP_NAMES)
_clip_values = operator.attrgetter(*_CLIP_NAMES)


def marks(values: Collection[object]) -> str:
    """As many `?` as there are values, for a list of them in SQL."""
    return ", ".join("?" * len(values))


_ADD_CLIP = f"INSERT INTO clip ({_CLIP_FIELDS}) VALUES ({marks(_CLIP_NAMES)})"  # noqa: S608


def clip_rows(db: sqlite3.Connection, where: str, *values: object) -> list[ClipRow]:
    """Clips by a condition over the table's columns (a constant of the caller's, never input)."""
    rows = db.execute(f"SELECT {_CLIP_FIELDS} FROM clip WHERE {where}", values)  # noqa: S608
    return [ClipRow.of(row) for row in rows]


class Store(Database):
    """The tables. Only the service's own thread uses it."""

    def __init__(self, path: Path) -> None:
        """Opens or creates the database; an older one is migrated. Raises ConfigurationError."""
        super().__init__(path, _TABLES + _REPLICA, VERSION, _STEPS)

    # clips

    def clip(self, clip_id: str) -> ClipRow | None:
        return self._clip("clip_id = ?", clip_id)

    def clips_by_id(self, clip_ids: Collection[str]) -> dict[str, ClipRow]:
        """Those of these that the dock holds."""
        return {clip.clip_id: clip for clip in self._clips(f"clip_id IN ({marks(clip_ids)})", *clip_ids)}

    def is_known(self, clip_id: str) -> bool:
        """Whether a clip has this id, or is to get it."""
        sql = "SELECT 1 FROM clip WHERE clip_id = ? UNION ALL SELECT 1 FROM staging WHERE clip_id = ?"
        return self.db.execute(sql, (clip_id, clip_id)).fetchone() is not None

    def clip_of_file(self, camera_serial: str, stem: str, footage: str, clip_sha256: str | None) -> ClipRow | None:
        """The clip that was taken in from just this file of this camera; or the one it brought under this name with
        these bytes, where they are known.
        """
        where = "camera_serial = ? AND stem = ? AND (footage = ? OR clip_sha256 = ?) ORDER BY footage <> ?"
        return self._clip(where, camera_serial, stem, footage, clip_sha256, footage)

    def clip_of_bytes(self, camera_serial: str, stem: str, clip_sha256: str) -> ClipRow | None:
        """The clip this camera brought under this name with these bytes."""
        return self._clip("camera_serial = ? AND stem = ? AND clip_sha256 = ?", camera_serial, stem, clip_sha256)

    def clips(self, state: State | None = None) -> list[ClipRow]:
        return self._clips("state = ?", state) if state else self._clips("true")

    def add_clips(self, clips: Collection[ClipRow]) -> None:
        officers = {(clip.officer_id,) for clip in clips}
        self.db.executemany("INSERT OR IGNORE INTO officer VALUES (?)", officers)
        self.db.executemany(_ADD_CLIP, map(_clip_values, clips))

    def move(self, clip_id: str, state: State, sequence: int) -> None:
        """The clip's new state, announced by the notice with this sequence."""
        self.db.execute("UPDATE clip SET state = ?, sequence = ? WHERE clip_id = ?", (state, sequence, clip_id))

    def retag(self, clip_id: str, revision: int, activation: str, due: str | None, sequence: int) -> None:
        self.db.execute(
            "UPDATE clip SET tag_revision = ?, activation = ?, dispatch_due = ?, sequence = ? WHERE clip_id = ?",
            (revision, activation, due, sequence, clip_id),
        )

    def clips_of_officer(self, officer_id: str, start: datetime, end: datetime) -> list[ClipRow]:
        """The officer's clips that may overlap [start, end), give or take a camera's skew."""
        return self._clips(
            "officer_id = ? AND started_at < ? AND started_at > ? AND stopped_at > ?",
            officer_id,
            format_instant(end + _SKEW),
            format_instant(start - _LONGEST),
            format_instant(start - _SKEW),
        )

    def newest_stop(self, officer_id: str) -> str | None:
        """When the officer's newest clip ended."""
        row = self.db.execute(
            "SELECT stopped_at FROM clip WHERE officer_id = ? AND started_at IS NOT NULL"
            " ORDER BY started_at DESC LIMIT 1",
            (officer_id,),
        ).fetchone()
        return None if row is None else str(row[0])

    def officers(self) -> set[str]:
        """Officers whose cameras have docked here."""
        return {row[0] for row in self.db.execute("SELECT officer_id FROM officer")}

    def knows_officer(self, officer_id: str) -> bool:
        return self.db.execute("SELECT 1 FROM officer WHERE officer_id = ?", (officer_id,)).fetchone() is not None

    def waiting_for_dispatch(self, as_of: str) -> list[ClipRow]:
        """Undispatched clips that dispatch has now spoken past the end of."""
        return self._clips("dispatch_due <= ?", as_of)

    def set_officer(self, clip_id: str, officer_id: str) -> None:
        self.db.execute("INSERT OR IGNORE INTO officer VALUES (?)", (officer_id,))
        self.db.execute("UPDATE clip SET officer_id = ? WHERE clip_id = ?", (officer_id, clip_id))

    def to_destroy(self, clip_id: str) -> None:
        self.db.execute("INSERT OR IGNORE INTO destroying VALUES (?)", (clip_id,))

    def destroying(self) -> list[str]:
        """Clips disposed of whose files may still be there."""
        return [row[0] for row in self.db.execute("SELECT clip_id FROM destroying")]

    def destroyed(self, clip_id: str) -> None:
        self.db.execute("DELETE FROM destroying WHERE clip_id = ?", (clip_id,))

    def disposed_through(self, through: int) -> list[ClipRow]:
        """Disposed clips whose last notice is acknowledged but still retained."""
        return self._clips("state = 'disposed' AND cleared = 0 AND sequence <= ? LIMIT 100", through)

    def mark_cleared(self, clip_id: str) -> None:
        self.db.execute("UPDATE clip SET cleared = 1 WHERE clip_id = ?", (clip_id,))

    def mark_receipted(self, clip_ids: Collection[str]) -> None:
        self.db.execute(f"UPDATE clip SET receipted = 1 WHERE clip_id IN ({marks(clip_ids)})", tuple(clip_ids))  # noqa: S608

    def mark_erased(self, clip_id: str) -> None:
        self.db.execute("UPDATE clip SET erased = 1 WHERE clip_id = ?", (clip_id,))
        self.db.execute("DELETE FROM erasing WHERE clip_id = ?", (clip_id,))

    def set_out_to_erase(self, clip_id: str) -> None:
        """The dock is about to delete the clip from its camera: should it stop now, it is known who did."""
        self.db.execute("INSERT OR IGNORE INTO erasing VALUES (?)", (clip_id,))

    def set_out(self, clip_id: str) -> bool:
        return self.db.execute("SELECT 1 FROM erasing WHERE clip_id = ?", (clip_id,)).fetchone() is not None

    def leave_unerased(self, clip_id: str) -> None:
        """It was not deleted after all."""
        self.db.execute("DELETE FROM erasing WHERE clip_id = ?", (clip_id,))

    def to_be_erased(self, camera_serial: str) -> list[ClipRow]:
        """Clips that the camera may erase and, as far as is known, has not."""
        return self._clips("camera_serial = ? AND receipted = 1 AND erased = 0", camera_serial)

    def count(self, state: State) -> int:
        """How many clips are in this state: kept along with every change, never counted anew."""
        row = self.db.execute("SELECT clips FROM tally WHERE state = ?", (state,)).fetchone()
        return int(row[0]) if row else 0

    def _clip(self, where: str, *values: object) -> ClipRow | None:
        return next(iter(self._clips(f"{where} LIMIT 1", *values)), None)

    def _clips(self, where: str, *values: object) -> list[ClipRow]:
        return clip_rows(self.db, where, *values)

    # notices: each clip has one current notice, known by its sequence

    def next_sequence(self) -> int:
        """The next notice's sequence, from 1, never used twice even when a clip is retagged or disposed of."""
        return self.next_sequences(1)[0]

    def next_sequences(self, count: int) -> range:
        """As `next_sequence`, for so many notices."""
        row = self.db.execute(
            "INSERT INTO meta VALUES ('sequence', ?1)"
            " ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + ?1 RETURNING value",
            (count,),
        ).fetchone()
        last = int(row[0])
        return range(last - count + 1, last + 1)

    def notices_after(self, sequence: int, limit: int) -> list[ClipRow]:
        """Clips whose current notice has a higher sequence, lowest first."""
        rows = self.db.execute(
            f"SELECT {_CLIP_FIELDS} FROM clip WHERE sequence > ? ORDER BY sequence LIMIT ?",  # noqa: S608
            (sequence, limit),
        )
        return [ClipRow.of(row) for row in rows]

    def previous_sequence(self, sequence: int) -> int:
        """The next lower sequence that is still some clip's current notice; 0 when there is none."""
        row = self.db.execute("SELECT max(sequence) FROM clip WHERE sequence < ?", (sequence,)).fetchone()
        return int(row[0] or 0)

    def backlog(self, through: int) -> int:
        """How many current notices the policy service has not acknowledged."""
        return int(self.db.execute("SELECT count(*) FROM clip WHERE sequence > ?", (through,)).fetchone()[0])

    # orders

    def orders(self, clip_id: str) -> list[OrderRow]:
        rows = self.db.execute("SELECT * FROM release_order WHERE clip_id = ? ORDER BY order_id", (clip_id,))
        return [OrderRow(*row) for row in rows]

    def order(self, order_id: str) -> OrderRow | None:
        row = self.db.execute("SELECT * FROM release_order WHERE order_id = ?", (order_id,)).fetchone()
        return OrderRow(*row) if row else None

    def live_orders(self) -> list[OrderRow]:
        return [OrderRow(*row) for row in self.db.execute("SELECT * FROM release_order WHERE state = 'live'")]

    def run_out(self, now: str, boot: float) -> list[OrderRow]:
        """Live orders whose end has come on either clock."""
        rows = self.db.execute(
            "SELECT * FROM release_order WHERE state = 'live' AND expires_at <= ?"
            " UNION SELECT * FROM release_order WHERE state = 'live' AND deadline <= ?",
            (now, boot),
        )
        return [OrderRow(*row) for row in rows]

    def keep_remaining(self, boot: float) -> None:
        """Notes how long live orders still have, for after a reboot."""
        self.db.execute("UPDATE release_order SET remaining = deadline - ? WHERE state = 'live'", (boot,))

    def put_order(self, order: OrderRow) -> None:
        values = [getattr(order, field.name) for field in fields(OrderRow)]
        marks = ", ".join("?" for _ in values)
        self.db.execute(f"INSERT OR REPLACE INTO release_order VALUES ({marks})", values)  # noqa: S608

    # clips being taken in: from before the first byte is read until the commit

    def stage(self, clip_id: str, job: str) -> None:
        self.db.execute("INSERT OR REPLACE INTO staging VALUES (?, ?)", (clip_id, job))

    def unstage(self, clip_ids: Collection[str]) -> None:
        self.db.execute(f"DELETE FROM staging WHERE clip_id IN ({marks(clip_ids)})", tuple(clip_ids))  # noqa: S608

    def staged(self) -> list[tuple[str, str]]:
        return [(row[0], row[1]) for row in self.db.execute("SELECT clip_id, job FROM staging")]

    # replay, skew

    def seen(self, digest: str) -> bool:
        return self.db.execute("SELECT 1 FROM seen WHERE digest = ?", (digest,)).fetchone() is not None

    def remember(self, digest: str, at: str) -> None:
        self.db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (digest, at))

    def docking_skew(self, camera_serial: str, docked_at: str, skew: float) -> float:
        """The skew measured when this docking was first seen: `skew` now, the same value ever after."""
        key = (camera_serial, docked_at)
        self.db.execute("INSERT OR IGNORE INTO docking VALUES (?, ?, ?)", (*key, skew))
        row = self.db.execute("SELECT skew FROM docking WHERE camera_serial = ? AND docked_at = ?", key).fetchone()
        return float(row[0])

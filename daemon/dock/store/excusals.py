"""What supervisors have said about cameras that were not on, and what of it was taken back, in the dock's store."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from daemon.core.dispatch.excusals import Excused
from daemon.model.statements import Excusal
from daemon.model.times import format_instant

SCHEMA = """
CREATE TABLE IF NOT EXISTS excusal (
  digest TEXT, signer TEXT, incident_id TEXT NOT NULL, officer_id TEXT NOT NULL, reason TEXT NOT NULL, note TEXT,
  at TEXT NOT NULL, received_at TEXT NOT NULL, PRIMARY KEY (digest, signer)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS excusal_of_incident ON excusal (incident_id);
CREATE INDEX IF NOT EXISTS excusal_of_signer ON excusal (signer, received_at);
CREATE TABLE IF NOT EXISTS withdrawn (
  digest TEXT, signer TEXT, chief INTEGER NOT NULL, received_at TEXT NOT NULL, PRIMARY KEY (digest, signer)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS withdrawn_by_signer ON withdrawn (signer, received_at);
"""
MOST_OF_ONE = 1000
"""So many excusals, and withdrawals, of one signer are kept, the newest: whoever may sign them cannot fill the disk."""


class ExcusalStore:
    """Tables in the dock's database; its transactions are the service's.

    A withdrawal may come before what it takes back, so it is kept whatever it is about, and looked at when somebody
    asks.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, digest: str, signer: str, said: Excusal, received_at: datetime) -> None:
        """Keeps an excusal. One that is known already stays as it is."""
        self._db.execute(
            "INSERT OR IGNORE INTO excusal VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(digest, signer, said.incident_id, said.officer_id, said.reason, said.note),
                *(format_instant(said.at), format_instant(received_at)),
            ),
        )
        self._bound("excusal", signer)

    def withdraw(self, digest: str, signer: str, *, chief: bool, received_at: datetime) -> None:
        """Keeps that somebody took an attestation back."""
        self._db.execute(
            "INSERT OR IGNORE INTO withdrawn VALUES (?, ?, ?, ?)", (digest, signer, chief, format_instant(received_at))
        )
        self._bound("withdrawn", signer)

    def all(self) -> dict[tuple[str, str], Excused]:
        """What stands, by incident and officer: the latest word, if neither its signer nor a chief took it back."""
        rows = self._db.execute(
            "SELECT incident_id, officer_id, reason, note, signer FROM excusal e WHERE NOT EXISTS ("
            " SELECT 1 FROM withdrawn w WHERE w.digest = e.digest AND (w.signer = e.signer OR w.chief))"
            " ORDER BY at, digest, signer"
        )
        return {(row[0], row[1]): Excused(row[2], row[3], row[4]) for row in rows}

    def prune(self, before: datetime) -> None:
        """Forgets what came before then."""
        for table in ("excusal", "withdrawn"):
            self._db.execute(f"DELETE FROM {table} WHERE received_at < ?", (format_instant(before),))  # noqa: S608

    def _bound(self, table: str, signer: str) -> None:
        self._db.execute(
            f"DELETE FROM {table} WHERE signer = ?1 AND digest IN (SELECT digest FROM {table} WHERE signer = ?1"  # noqa: S608
            " ORDER BY received_at DESC, digest LIMIT -1 OFFSET ?2)",
            (signer, MOST_OF_ONE),
        )

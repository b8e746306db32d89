"""A custody log inside a service's database. Entries are added in the caller's transaction."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from daemon.custody import tree
from daemon.database.sqlite import read_only
from daemon.model import strict_json
from daemon.model.custody_actions import CustodyAction
from daemon.model.errors import TamperedError
from daemon.model.times import format_instant
from daemon.model.types import check_clip_id, check_id
from daemon.seal.keys import SignKey
from daemon.seal.note import Checkpoint, sign_checkpoint

SCHEMA = """
CREATE TABLE IF NOT EXISTS custody_entry (sequence INTEGER PRIMARY KEY, clip_id TEXT, line BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS custody_entry_clip ON custody_entry (clip_id, sequence);
CREATE TABLE IF NOT EXISTS custody_node (level INTEGER, idx INTEGER, hash BLOB NOT NULL, PRIMARY KEY (level, idx))
  WITHOUT ROWID;
"""

_ACTION = re.compile(r"^[a-z_]{1,32}\Z", re.ASCII)
_DIGEST = re.compile(r"^[0-9a-f]{64}\Z", re.ASCII)


@dataclass(frozen=True)
class NewEntry:
    """An entry that is not in the log yet. `attestations` are digests: SHA-256 in lowercase hex."""

    action: CustodyAction
    clip_id: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    attestations: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises ValueError for what a reader of the log would refuse."""
        if not _ACTION.match(self.action):
            raise ValueError(f"{self.action!r} is not a valid action")
        if self.clip_id is not None:
            check_clip_id(self.clip_id)
        if not all(_DIGEST.match(digest) for digest in self.attestations):
            raise ValueError("an attestation must be given as a SHA-256 digest in hex")


class Cursor(Protocol):
    """The rows that a statement found."""

    def fetchone(self) -> Any:
        """The next row; None after the last."""

    def fetchall(self) -> list[Any]:
        """All rows that are left."""

    def __iter__(self) -> Iterator[Any]: ...


class Rows(Protocol):
    """A connection to a database that has the log's tables: SQLite's, or PostgreSQL's (daemon.database.postgres).

    `?` stands for a value in the SQL. What is written is durable when the owner's transaction is committed.
    """

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Cursor:
        """Runs one statement."""


class CustodyLog:
    """The log of one origin. Not thread-safe: use it on the thread that owns the connection."""

    def __init__(self, rows: Rows, origin: str, actor: str, *, create: bool = True) -> None:
        """With `create`, creates missing tables in SQLite. (On PostgreSQL the owner's schema has them.)

        `origin` names the log in its checkpoints; `actor` is written into every entry.
        """
        self._db = rows
        self.origin = origin
        self._actor = check_id(actor)
        if create:
            for statement in SCHEMA.strip().removesuffix(";").split(";"):
                rows.execute(statement)

    @property
    def size(self) -> int:
        """How many entries there are."""
        row = self._db.execute("SELECT max(sequence) FROM custody_entry").fetchone()
        return 0 if row[0] is None else int(row[0]) + 1

    def append(self, entry: NewEntry, at: datetime) -> int:
        """Adds an entry; returns its sequence. Durable when the caller's transaction is committed.

        Raises ValueError for one that would not be a valid `CustodyEntry`.
        """
        return self.append_all([entry], at)

    def append_all(self, entries: Sequence[NewEntry], at: datetime) -> int:
        """As `append`, for several entries with the same time; returns the sequence of the first."""
        first = self.size
        lines = [(entry.clip_id, self._line(entry, number, at)) for number, entry in enumerate(entries, first)]
        self._add(first, lines)
        return first

    def _line(self, entry: NewEntry, sequence: int, at: datetime) -> bytes:
        entry.check()
        document = {
            "schema": "bwc.custody/1",
            "sequence": sequence,
            "at": format_instant(at),
            "action": entry.action,
            "actor": self._actor,
            "detail": entry.detail,
            "attestations": entry.attestations,
        }
        return strict_json.dump(document if entry.clip_id is None else document | {"clip_id": entry.clip_id})

    def restore(self, line: bytes) -> None:
        """Adds an earlier line again, unchanged. Raises TamperedError when its sequence is not the next one."""
        entry, sequence = strict_json.parse_object(line, what="custody entry"), self.size
        if entry.get("sequence") != sequence:
            raise TamperedError(f"{self.origin}: entry {sequence} is missing, found {entry.get('sequence')}")
        self._add(sequence, [(entry.get("clip_id"), line)])

    def _add(self, first: int, lines: Sequence[tuple[str | None, bytes]]) -> None:
        new: dict[tree.Node, bytes] = {}

        def read(level: int, index: int) -> bytes:
            return new.get((level, index)) or self.node(level, index)

        for sequence, (_, line) in enumerate(lines, first):
            new.update(tree.append(sequence, tree.leaf_hash(line), read))
        self._insert("custody_entry", [(number, *line) for number, line in enumerate(lines, first)])
        self._insert("custody_node", [(*node, value) for node, value in new.items()])

    def _insert(self, table: str, rows: Sequence[tuple[Any, Any, Any]]) -> None:
        """Inserts all rows by one statement, because on PostgreSQL each statement is a round trip."""
        values = ", ".join(["(?, ?, ?)"] * len(rows))
        if rows:
            self._db.execute(f"INSERT INTO {table} VALUES {values}", [value for row in rows for value in row])  # noqa: S608

    def line(self, sequence: int) -> bytes | None:
        """The entry with this sequence as it was logged, without its newline; None when there is none."""
        row = self._db.execute("SELECT line FROM custody_entry WHERE sequence = ?", (sequence,)).fetchone()
        return bytes(row[0]) if row else None

    def lines(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Lines from `start` up to, not including, `end`, in order. They are read 1,000 at a time."""
        end = self.size if end is None else end
        while start < end:
            rows = self._db.execute(
                "SELECT line FROM custody_entry WHERE sequence >= ? AND sequence < ? ORDER BY sequence LIMIT 1000",
                (start, end),
            ).fetchall()
            if not rows:
                return
            yield from (bytes(row[0]) for row in rows)
            start += len(rows)

    def of_clip(self, clip_id: str) -> list[tuple[int, bytes]]:
        """A clip's lines, each with its sequence, in order."""
        return self.of_clips([clip_id])[clip_id]

    def of_clips(self, clip_ids: Collection[str]) -> dict[str, list[tuple[int, bytes]]]:
        """As `of_clip`, for several."""
        found: dict[str, list[tuple[int, bytes]]] = {clip_id: [] for clip_id in clip_ids}
        marks = ", ".join("?" * len(found))
        rows = self._db.execute(
            f"SELECT clip_id, sequence, line FROM custody_entry WHERE clip_id IN ({marks}) ORDER BY sequence",  # noqa: S608
            tuple(found),
        )
        for clip_id, sequence, line in rows:
            found[clip_id].append((int(sequence), bytes(line)))
        return found

    def first_of(self, clip_ids: Collection[str]) -> dict[str, int]:
        """The sequence of each clip's first entry. Raises TamperedError when one has none."""
        marks = ", ".join("?" * len(clip_ids))
        rows = self._db.execute(
            f"SELECT clip_id, min(sequence) FROM custody_entry WHERE clip_id IN ({marks}) GROUP BY clip_id",  # noqa: S608
            tuple(clip_ids),
        )
        found = {row[0]: int(row[1]) for row in rows}
        for clip_id in set(clip_ids) - found.keys():
            raise TamperedError(f"{self.origin}: holds no entry of clip {clip_id}")
        return found

    def checkpoint(self, key: SignKey, size: int | None = None) -> str:
        """A signed checkpoint over the first `size` entries (all of them by default)."""
        size = self.size if size is None else size
        return sign_checkpoint(Checkpoint(self.origin, size, tree.root(size, self.node)), key)

    def inclusion(self, sequence: int, size: int | None = None) -> list[bytes]:
        """The audit path of an entry in the tree of `size` entries (RFC 6962 section 2.1.1)."""
        return tree.inclusion_proof(sequence, self.size if size is None else size, self.node)

    def consistency(self, old: int, new: int | None = None) -> list[bytes]:
        """The proof that the tree of `new` entries begins with the one of `old` (RFC 6962 section 2.1.2)."""
        return tree.consistency_proof(old, self.size if new is None else new, self.node)

    def node(self, level: int, index: int) -> bytes:
        """A stored hash of the Merkle tree. Raises TamperedError when it is missing."""
        row = self._db.execute("SELECT hash FROM custody_node WHERE level = ? AND idx = ?", (level, index)).fetchone()
        if row is None:
            raise TamperedError(f"{self.origin}: the log's hash at level {level}, index {index} is missing")
        return bytes(row[0])


@contextmanager
def open_read_only(path: Path, origin: str, actor: str) -> Iterator[CustodyLog]:
    """The log inside a service's SQLite database, read-only, while the service runs. Raises ConfigurationError."""
    with read_only(path) as connection:
        yield CustodyLog(connection, origin, actor, create=False)

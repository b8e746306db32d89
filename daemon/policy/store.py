"""The policy service's database. Its rows are an index: every fact is read from the attestation itself, verified again.

SQLite, WAL, `synchronous=FULL`. One thread owns it.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from daemon.model import statements as st
from daemon.model.errors import TamperedError
from daemon.model.times import parse_instant
from daemon.policy.rows import SCHEMA, VERSION, AboutRow, ClipRow, DecisionRow, OrderRow, RequestRow
from daemon.seal import envelope as envelopes
from daemon.seal.trust import Trust
from daemon.seal.verify import Verified
from daemon.vault.database import Database

S = TypeVar("S", bound=st.Statement)
_CACHED = 20_000
_DECIDING = "('classification', 'statement', 'report', 'authorization', 'hold', 'correction')"
"""Kinds of attestation that decisions rest on."""


def _insert(table: str, row: Any, *, replace: bool = False) -> tuple[str, list[Any]]:
    names = tuple(row.__dataclass_fields__)
    return _inserting(table, names, replace), [getattr(row, name) for name in names]


@functools.cache
def _inserting(table: str, names: tuple[str, ...], replace: bool) -> str:
    verb = "INSERT OR REPLACE" if replace else "INSERT"
    marks = ", ".join("?" for _ in names)
    return f"{verb} INTO {table} ({', '.join(names)}) VALUES ({marks})"


class Store(Database):
    """The tables, and attestations read back from them only after their signature held again."""

    def __init__(self, path: Path) -> None:
        """Opens or creates the database. Raises ConfigurationError for one of another version."""
        super().__init__(path, SCHEMA, VERSION)
        self._trusts: dict[int, Trust] = {}
        self._read: OrderedDict[str, st.Statement] = OrderedDict()

    # trust: every version that was in force, so that what was signed under it stays verifiable

    def trusts(self) -> list[tuple[int, bytes]]:
        return [
            (row[0], bytes(row[1])) for row in self.db.execute("SELECT version, envelope FROM trust ORDER BY version")
        ]

    def add_trust(self, trust: Trust, envelope: bytes, since: str) -> None:
        self.db.execute("INSERT OR IGNORE INTO trust VALUES (?, ?, ?)", (trust.version, envelope, since))

    def know_trust(self, trust: Trust) -> None:
        """A verified version, for reading back what was accepted under it."""
        self._trusts[trust.version] = trust

    # attestations

    def add(self, verified: Verified[Any], received_at: str, trust_version: int, officer_id: str | None = None) -> None:
        statement = verified.statement
        self.db.execute(
            "INSERT OR IGNORE INTO attestation VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?)",
            (
                verified.digest,
                statement.kind,
                verified.signer.id,
                received_at,
                trust_version,
                getattr(statement, "incident_id", None),
                getattr(statement, "clip_id", None),
                officer_id or getattr(statement, "officer_id", None),
                verified.envelope.to_bytes(),
            ),
        )
        self._keep(verified.digest, statement)  # its signature held a moment ago

    def has(self, digest: str) -> bool:
        return self.db.execute("SELECT 1 FROM attestation WHERE digest = ?", (digest,)).fetchone() is not None

    def signer(self, digest: str) -> tuple[str, str] | None:
        """Kind and signer of a stored attestation."""
        row = self.db.execute("SELECT kind, signer FROM attestation WHERE digest = ?", (digest,)).fetchone()
        return (row[0], row[1]) if row else None

    def statement(self, digest: str, kind: type[S]) -> S:
        """A stored attestation's payload, its signature verified again (once a process). Raises TamperedError."""
        cached = self._read.get(digest)
        if cached is None:
            cached = self._keep(digest, self._read_back(digest, kind))
        if not isinstance(cached, kind):
            raise TamperedError(f"the store's attestation {digest[:16]} is a {cached.kind}, not a {kind.kind}")
        return cached

    def _keep(self, digest: str, statement: st.Statement) -> st.Statement:
        self._read[digest] = statement
        if len(self._read) > _CACHED:
            self._read.popitem(last=False)
        return statement

    def _read_back(self, digest: str, kind: type[S]) -> S:
        row = self.db.execute(
            "SELECT envelope, trust_version, received_at FROM attestation WHERE digest = ?", (digest,)
        ).fetchone()
        if row is None:
            raise TamperedError(f"the store lacks attestation {digest[:16]}")
        envelope = envelopes.parse(bytes(row[0]), what=f"attestation {digest[:16]}")
        if envelope.digest != digest:
            raise TamperedError(f"the store's attestation {digest[:16]} was changed")
        _, key = self._trusts[row[1]].signer(envelope.keyid, parse_instant(row[2]))
        envelope.check(key)
        return envelope.statement(kind)

    def about(self, clip_id: str, incident_ids: Sequence[str]) -> list[AboutRow]:
        """Every standing attestation that a decision about the clip may rest on, oldest first."""
        marks = ", ".join("?" for _ in incident_ids)
        rows = self.db.execute(
            "SELECT digest, signer, kind, incident_id, clip_id FROM attestation WHERE withdrawn = 0"  # noqa: S608
            f" AND kind IN {_DECIDING} AND (clip_id = ? OR incident_id IN ({marks})) ORDER BY received_at, digest",
            (clip_id, *incident_ids),
        )
        return [AboutRow(*row) for row in rows]

    def withdraw(self, digest: str) -> tuple[str | None, str | None]:
        """Marks an attestation withdrawn; returns its incident and clip."""
        self.db.execute("UPDATE attestation SET withdrawn = 1 WHERE digest = ?", (digest,))
        row = self.db.execute("SELECT incident_id, clip_id FROM attestation WHERE digest = ?", (digest,)).fetchone()
        return row[0], row[1]

    # clips

    def clip(self, clip_id: str, dock_id: str | None = None) -> ClipRow | None:
        """The clip on that dock; without one, on the first dock that announced it."""
        where, values = "clip_id = ?", [clip_id]
        if dock_id is not None:
            where, values = where + " AND dock_id = ?", [clip_id, dock_id]
        row = self.db.execute(f"SELECT * FROM clip WHERE {where} ORDER BY dock_id LIMIT 1", values).fetchone()  # noqa: S608
        return ClipRow(*row) if row else None

    def put_clip(self, clip: ClipRow) -> None:
        self.db.execute(*_insert("clip", clip, replace=True))

    def add_incident(self, clip_id: str, incident_id: str) -> None:
        """An incident once tagged keeps counting."""
        self.db.execute("INSERT OR IGNORE INTO clip_incident VALUES (?, ?)", (clip_id, incident_id))

    def incidents(self, clip_id: str) -> list[str]:
        rows = self.db.execute(
            "SELECT incident_id FROM clip_incident WHERE clip_id = ? ORDER BY incident_id", (clip_id,)
        )
        return [row[0] for row in rows]

    def clips_of_incident(self, incident_id: str) -> list[str]:
        rows = self.db.execute(
            "SELECT clip_id FROM clip_incident WHERE incident_id = ? ORDER BY clip_id", (incident_id,)
        )
        return [row[0] for row in rows]

    def through(self, dock_id: str) -> int:
        row = self.db.execute("SELECT through FROM dock WHERE dock_id = ?", (dock_id,)).fetchone()
        return int(row[0]) if row else 0

    def advance(self, dock_id: str) -> int:
        """Moves `through` over every notice that follows without a gap; returns it."""
        through = self.through(dock_id)
        while True:
            row = self.db.execute(
                "SELECT max(sequence) FROM clip WHERE dock_id = ? AND sequence > ? AND previous <= ?",
                (dock_id, through, through),
            ).fetchone()
            if row[0] is None:
                break
            through = int(row[0])
        self.db.execute("INSERT OR REPLACE INTO dock VALUES (?, ?)", (dock_id, through))
        return through

    # requests and orders

    def put_request(self, request: RequestRow) -> None:
        self.db.execute(*_insert("request", request, replace=True))

    def requests(self, clip_id: str, state: str = "open") -> list[RequestRow]:
        rows = self.db.execute(
            "SELECT * FROM request WHERE clip_id = ? AND state = ? ORDER BY digest", (clip_id, state)
        )
        return [RequestRow(*row) for row in rows]

    def request(self, digest: str) -> RequestRow | None:
        row = self.db.execute("SELECT * FROM request WHERE digest = ?", (digest,)).fetchone()
        return RequestRow(*row) if row else None

    def stale_requests(self, before: str) -> list[RequestRow]:
        rows = self.db.execute("SELECT * FROM request WHERE state = 'open' AND opened_at < ?", (before,))
        return [RequestRow(*row) for row in rows]

    def put_order(self, order: OrderRow) -> None:
        self.db.execute(*_insert("release_order", order, replace=True))

    def orders(self, where: str, *values: object) -> list[OrderRow]:
        """Orders by a condition over the table's columns (a constant of the caller's, never input)."""
        rows = self.db.execute(f"SELECT * FROM release_order WHERE {where} ORDER BY order_id", values)  # noqa: S608
        return [OrderRow(*row) for row in rows]

    def put_disposal(self, order_id: str, clip: ClipRow, envelope: bytes) -> None:
        """A disposal order; repeated until its dock's notice shows the clip disposed of."""
        self.put_order(
            OrderRow(order_id, "", clip.dock_id, clip.clip_id, "", "9999", "disposal", listed=False, envelope=envelope)
        )

    def recorded_before(self, at: str) -> list[ClipRow]:
        """Clips recorded up to then and not disposed of."""
        rows = self.db.execute("SELECT * FROM clip WHERE disposed = 0 AND recorded_at <= ? ORDER BY recorded_at", (at,))
        return [ClipRow(*row) for row in rows]

    def forget(self, clip_id: str, dock_id: str, seal_sha256: str) -> None:
        """Destroys what holds wrapped keys of a disposed clip: its seal, and the orders that were issued for it."""
        self.db.execute("DELETE FROM attestation WHERE digest = ?", (seal_sha256,))
        self._read.pop(seal_sha256, None)
        self.db.execute(
            "UPDATE release_order SET envelope = x'', listed = 1,"
            " state = CASE state WHEN 'live' THEN 'expired' ELSE state END WHERE clip_id = ? AND dock_id = ?",
            (clip_id, dock_id),
        )
        self.db.execute("DELETE FROM outbox WHERE topic LIKE ?", (f"%/order/{dock_id}/{clip_id}",))

    # decisions on record, standings

    def add_decision(self, row: DecisionRow) -> None:
        self.db.execute(*_insert("decision", row))

    def decisions(self) -> Iterator[DecisionRow]:
        """Every decision on record, oldest first."""
        names = ", ".join(field.name for field in fields(DecisionRow))
        for row in self.db.execute(f"SELECT {names} FROM decision ORDER BY id"):  # noqa: S608
            yield DecisionRow(*row)

    def standing_fingerprint(self, dock_id: str, clip_id: str) -> str | None:
        row = self.db.execute(
            "SELECT fingerprint FROM standing WHERE dock_id = ? AND clip_id = ?", (dock_id, clip_id)
        ).fetchone()
        return row[0] if row else None

    def put_standing(self, dock_id: str, clip_id: str, fingerprint: str, due: str | None, overdue: bool) -> None:
        self.db.execute(
            "INSERT OR REPLACE INTO standing VALUES (?, ?, ?, ?, ?)", (dock_id, clip_id, fingerprint, due, overdue)
        )

    def newly_overdue(self, now: str) -> list[str]:
        """Clips whose statements have come due since their standing was published."""
        rows = self.db.execute("SELECT clip_id FROM standing WHERE overdue = 0 AND due < ?", (now,))
        return [row[0] for row in rows]

    def say_again(self) -> set[str]:
        """Marks what was published and is to be published again; returns the clips it is about."""
        self.db.execute("UPDATE request SET answer = '-' || answer WHERE state = 'open' AND answer NOT LIKE '-%'")
        self.db.execute("UPDATE standing SET fingerprint = ''")
        rows = self.db.execute("SELECT clip_id FROM request WHERE state = 'open' UNION SELECT clip_id FROM standing")
        return {row[0] for row in rows}

    # how things stand, in numbers

    def counts(self) -> dict[str, int]:
        """Open requests, live orders, clips with an overdue statement, messages not yet published."""
        overdue = (
            "SELECT count(*) FROM standing s WHERE overdue = 1 AND NOT EXISTS"
            " (SELECT 1 FROM clip c WHERE c.dock_id = s.dock_id AND c.clip_id = s.clip_id AND c.disposed = 1)"
        )
        queries = {
            "open_requests": "SELECT count(*) FROM request WHERE state = 'open'",
            "live_orders": "SELECT count(*) FROM release_order WHERE state = 'live'",
            "overdue_clips": overdue,
            "outbox_messages": "SELECT count(*) FROM outbox",
        }
        return {name: int(self.db.execute(query).fetchone()[0]) for name, query in queries.items()}

    # answers, refusals, outbox

    def answer(self, digest: str) -> tuple[bool, str | None] | None:
        """What was answered to an attestation: accepted or not, and why not."""
        row = self.db.execute("SELECT reason FROM answer WHERE digest = ?", (digest,)).fetchone()
        return None if row is None else (row[0] is None, row[0])

    def put_answer(self, digest: str, reason: str | None) -> None:
        self.db.execute("INSERT OR REPLACE INTO answer VALUES (?, ?)", (digest, reason))

    def count_refusal(self, kind: str, error: str) -> None:
        self.db.execute(
            "INSERT INTO refusal VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1", (kind, error)
        )

    def refusals(self) -> dict[str, int]:
        rows = self.db.execute("SELECT kind, error, count FROM refusal ORDER BY kind, error")
        return {f"{kind}: {error}": count for kind, error, count in rows}

    def post(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """To be published once this transaction is durable, and until the broker has it.

        A retained topic keeps only its newest message.
        """
        if retain:
            self.db.execute("DELETE FROM outbox WHERE topic = ? AND retain = 1", (topic,))
        self.db.execute("INSERT INTO outbox (topic, payload, retain) VALUES (?, ?, ?)", (topic, payload, retain))

    def posted(self, after: int, limit: int) -> list[tuple[int, str, bytes, bool]]:
        rows = self.db.execute("SELECT * FROM outbox WHERE id > ? ORDER BY id LIMIT ?", (after, limit))
        return [(row[0], row[1], bytes(row[2]), bool(row[3])) for row in rows]

    def sent(self, post_id: int) -> None:
        self.db.execute("DELETE FROM outbox WHERE id = ?", (post_id,))

    def post_once(self, topic: str, payload: bytes) -> None:
        """As `post`, unless the same message waits already."""
        waiting = self.db.execute("SELECT 1 FROM outbox WHERE topic = ? AND payload = ?", (topic, payload)).fetchone()
        if waiting is None:
            self.post(topic, payload, retain=False)

"""The policy service's tables, described once for SQLite and PostgreSQL, and the SQL that updates older ones.

Times are text (RFC 3339, UTC, milliseconds), so that they sort by time. Both databases compare text byte by byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    false,
    true,
)
from sqlalchemy.schema import CreateIndex, CreateTable

VERSION = 3
"""The number of the schema below."""
STEPS = {
    "sqlite": (
        # 2: clips to be reconsidered outlive their service. The index came without a version: it may exist already.
        "CREATE INDEX IF NOT EXISTS standing_overdue ON standing (dock_id) WHERE overdue = 1;"
        "CREATE TABLE pending (clip_id TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (clip_id, at)) WITHOUT ROWID;"
        "CREATE INDEX pending_at ON pending (at);",
        # 3: two people may sign the same words; what a classification names is not for ever; answers are not looked up
        "ALTER TABLE attestation RENAME TO attestation_2;"
        "CREATE TABLE attestation (digest TEXT NOT NULL, kind TEXT NOT NULL, signer TEXT NOT NULL,"
        " received_at TEXT NOT NULL, trust_version INTEGER NOT NULL, incident_id TEXT, clip_id TEXT, officer_id TEXT,"
        " withdrawn BOOLEAN NOT NULL, envelope BLOB NOT NULL, PRIMARY KEY (digest, signer));"
        "INSERT INTO attestation SELECT * FROM attestation_2;"
        "DROP TABLE attestation_2;"
        "CREATE INDEX attestation_of_clip ON attestation (clip_id, kind);"
        "CREATE INDEX attestation_of_incident ON attestation (incident_id, kind);"
        "CREATE INDEX attestation_of_signer ON attestation (signer, kind);"
        "CREATE TABLE named_clip (clip_id TEXT NOT NULL, digest TEXT NOT NULL, signer TEXT NOT NULL, incident_id TEXT,"
        " PRIMARY KEY (clip_id, digest, signer)) WITHOUT ROWID;"
        "CREATE INDEX named_by ON named_clip (digest);"
        "CREATE INDEX named_incident ON named_clip (incident_id);"
        "CREATE TABLE refused_clip (dock_id TEXT NOT NULL, clip_id TEXT NOT NULL, sequence INTEGER NOT NULL,"
        " previous INTEGER NOT NULL, PRIMARY KEY (dock_id, clip_id)) WITHOUT ROWID;"
        "CREATE TABLE disposal_report (digest TEXT NOT NULL, made_at TEXT NOT NULL, document BLOB NOT NULL,"
        " outcome TEXT, PRIMARY KEY (digest));"
        "CREATE INDEX disposal_report_by_age ON disposal_report (made_at);"
        "CREATE INDEX refused_clip_by_sequence ON refused_clip (dock_id, sequence);"
        "CREATE INDEX order_of_person ON release_order (person_id, state);"
        "CREATE INDEX request_of_person ON request (person_id, state);"
        "DROP TABLE answer;",
    ),
    "postgresql": (  # there the first version is 2
        "ALTER TABLE attestation DROP CONSTRAINT attestation_pkey;"
        "ALTER TABLE attestation ADD PRIMARY KEY (digest, signer);"
        "CREATE INDEX attestation_of_signer ON attestation (signer, kind);"
        'CREATE TABLE named_clip (clip_id TEXT COLLATE "C" NOT NULL, digest TEXT COLLATE "C" NOT NULL,'
        ' signer TEXT COLLATE "C" NOT NULL, incident_id TEXT COLLATE "C", PRIMARY KEY (clip_id, digest, signer));'
        "CREATE INDEX named_by ON named_clip (digest);"
        "CREATE INDEX named_incident ON named_clip (incident_id);"
        'CREATE TABLE refused_clip (dock_id TEXT COLLATE "C" NOT NULL, clip_id TEXT COLLATE "C" NOT NULL,'
        " sequence BIGINT NOT NULL, previous BIGINT NOT NULL, PRIMARY KEY (dock_id, clip_id));"
        'CREATE TABLE disposal_report (digest TEXT COLLATE "C" NOT NULL, made_at TEXT COLLATE "C" NOT NULL,'
        ' document BYTEA NOT NULL, outcome TEXT COLLATE "C", PRIMARY KEY (digest));'
        "CREATE INDEX disposal_report_by_age ON disposal_report (made_at);"
        "CREATE INDEX refused_clip_by_sequence ON refused_clip (dock_id, sequence);"
        "CREATE INDEX order_of_person ON release_order (person_id, state);"
        "CREATE INDEX request_of_person ON request (person_id, state);"
        "DROP TABLE answer;",
    ),
}
"""For each dialect, the SQL that leads from one version to the next. The last step leads to VERSION."""

metadata = MetaData()
_TEXT = Text().with_variant(Text(collation="C"), "postgresql")
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")


def _text(name: str, *, null: bool = False) -> Column[Any]:
    return Column(name, _TEXT, nullable=null)


def _number(name: str) -> Column[Any]:
    return Column(name, _NUMBER, nullable=False, autoincrement=False)


def _flag(name: str) -> Column[Any]:
    return Column(name, Boolean(create_constraint=False), nullable=False)


def _bytes(name: str) -> Column[Any]:
    return Column(name, LargeBinary, nullable=False)


def _table(name: str, *columns: Any, key: tuple[str, ...], rowid: bool = False) -> Table:
    return Table(name, metadata, *columns, PrimaryKeyConstraint(*key), sqlite_with_rowid=rowid)


def _counted(name: str, *columns: Any) -> Table:
    """A table whose rows the database numbers in their order. No number is used twice."""
    return Table(name, metadata, Column("id", _NUMBER, primary_key=True), *columns, sqlite_autoincrement=True)


meta = _table("meta", _text("key"), _text("value"), key=("key",))
trust = _table("trust", _number("version"), _bytes("envelope"), _text("since"), key=("version",), rowid=True)
attestation = _table(
    "attestation",
    *(_text(name) for name in ("digest", "kind", "signer", "received_at")),
    _number("trust_version"),
    *(_text(name, null=True) for name in ("incident_id", "clip_id", "officer_id")),
    _flag("withdrawn"),
    _bytes("envelope"),
    key=("digest", "signer"),
    rowid=True,
)
Index("attestation_of_incident", attestation.c.incident_id, attestation.c.kind)
Index("attestation_of_clip", attestation.c.clip_id, attestation.c.kind)
Index("attestation_of_signer", attestation.c.signer, attestation.c.kind)
# the clips that a classification names, and those whose classification a withdrawal takes back
named_clip = _table(
    "named_clip",
    *(_text(name) for name in ("clip_id", "digest", "signer")),
    _text("incident_id", null=True),
    key=("clip_id", "digest", "signer"),
)
Index("named_by", named_clip.c.digest)
Index("named_incident", named_clip.c.incident_id)
clip = _table(
    "clip",
    _text("dock_id"),
    _text("clip_id"),
    _number("sequence"),
    _number("previous"),
    _text("officer_id"),
    _text("seal_sha256"),
    _text("capture_sha256", null=True),
    *(_text(name) for name in ("tag_sha256", "clip_sha256", "integrity", "recorded_at")),
    _flag("disposed"),
    key=("dock_id", "clip_id"),
)
Index("clip_by_id", clip.c.clip_id)
_kept = clip.c.disposed == false()
Index("clip_by_age", clip.c.recorded_at, sqlite_where=_kept, postgresql_where=_kept)
Index("clip_by_sequence", clip.c.dock_id, clip.c.sequence)
clip_incident = _table("clip_incident", _text("clip_id"), _text("incident_id"), key=("clip_id", "incident_id"))
Index("incident_clip", clip_incident.c.incident_id)
# notices that are acknowledged and count for nothing: other footage under a clip id that another dock announced
refused_clip = _table(
    "refused_clip",
    _text("dock_id"),
    _text("clip_id"),
    _number("sequence"),
    _number("previous"),
    key=("dock_id", "clip_id"),
)
Index("refused_clip_by_sequence", refused_clip.c.dock_id, refused_clip.c.sequence)
dock = _table("dock", _text("dock_id"), _number("through"), key=("dock_id",))
request = _table(
    "request",
    *(_text(name) for name in ("digest", "person_id", "clip_id", "state")),
    _text("answer", null=True),
    _text("opened_at"),
    key=("digest",),
)
Index("request_of_clip", request.c.clip_id, request.c.state)
Index("request_by_state", request.c.state, request.c.opened_at)
Index("request_of_person", request.c.person_id, request.c.state)
release_order = _table(
    "release_order",
    *(_text(name) for name in ("order_id", "request", "dock_id", "clip_id", "person_id", "expires_at", "state")),
    _flag("listed"),
    _bytes("envelope"),
    key=("order_id",),
    rowid=True,
)
Index("order_of_clip", release_order.c.clip_id, release_order.c.state)
Index("order_by_state", release_order.c.state, release_order.c.expires_at)
Index("order_of_person", release_order.c.person_id, release_order.c.state)
_unlisted = release_order.c.listed == false()
Index("order_unlisted", release_order.c.order_id, sqlite_where=_unlisted, postgresql_where=_unlisted)
decision = _counted(
    "decision",
    *(_text(name) for name in ("at", "request", "clip_id", "person_id", "regime", "regime_sha256")),
    _number("trust_version"),
    _text("facts"),
    _text("answer"),
)
standing = _table(
    "standing",
    *(_text(name) for name in ("dock_id", "clip_id", "fingerprint")),
    _text("due", null=True),
    _flag("overdue"),
    key=("dock_id", "clip_id"),
)
_waits = (standing.c.overdue == false()) & standing.c.due.is_not(None)
Index("standing_due", standing.c.due, sqlite_where=_waits, postgresql_where=_waits)
_late = standing.c.overdue == true()
Index("standing_overdue", standing.c.dock_id, sqlite_where=_late, postgresql_where=_late)
refusal = _table("refusal", _text("kind"), _text("error"), _number("count"), key=("kind", "error"))
outbox = _counted("outbox", _text("topic"), _bytes("payload"), _flag("retain"))
# a hash index: strangers choose a part of the topic that we answer on, and a B-tree takes no key above 2.7 KB
Index("outbox_topic", outbox.c.topic, postgresql_using="hash")
# each disposal report as it is spelt, and what became of it once it was authorized (JSON)
disposal_report = _table(
    "disposal_report",
    *(_text(name) for name in ("digest", "made_at")),
    _bytes("document"),
    _text("outcome", null=True),
    key=("digest",),
    rowid=True,
)
Index("disposal_report_by_age", disposal_report.c.made_at)
pending = _table("pending", _text("clip_id"), _text("at"), key=("clip_id", "at"))
Index("pending_at", pending.c.at)
# the custody log's tables, as daemon.custody.log reads and writes them
custody_entry = _table(
    "custody_entry", _number("sequence"), _text("clip_id", null=True), _bytes("line"), key=("sequence",), rowid=True
)
Index("custody_entry_clip", custody_entry.c.clip_id, custody_entry.c.sequence)
_table("custody_node", _number("level"), _number("idx"), _bytes("hash"), key=("level", "idx"))


def schema(dialect: Dialect) -> str:
    """SQL that creates all tables and indices in an empty database."""
    return "".join(f"{statement};\n" for statement in _create_statements(dialect))


def _create_statements(dialect: Dialect) -> Iterator[str]:
    for table in metadata.sorted_tables:
        yield str(CreateTable(table).compile(dialect=dialect)).strip()
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            yield str(CreateIndex(index).compile(dialect=dialect)).strip()

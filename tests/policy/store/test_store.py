"""The store on either database: what was written by an earlier version, and what several services share."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.dialects import sqlite

from daemon.custody import log
from daemon.model import statements as st
from daemon.model.config import PolicyConfig, check_config
from daemon.model.errors import ConfigurationError
from daemon.policy.cases import attestations, orders
from daemon.policy.opening import follow_trust
from daemon.policy.store import tables
from daemon.policy.store.store import open_store
from tests.kit import agency
from tests.kit.agency import CLIP
from tests.kit.policy_fixture import Office, open_office
from tests.kit.postgres import Server

FIRST = Path(__file__).with_name("schema_1.sql")
"""The tables as version 0.1.0 began with, when nobody numbered their changes."""


@pytest.fixture
def office(tmp_path: Path, store_url: str) -> Iterator[Office]:
    office = open_office(tmp_path, store={"url": store_url})
    yield office
    office.context.store.close()


@pytest.fixture
def two(tmp_path: Path, postgres_server: Server) -> Iterator[tuple[Office, Office]]:
    """Two services on one store."""
    url = postgres_server.database()
    offices = (
        open_office(tmp_path / "one", store={"url": url}),
        open_office(tmp_path / "other", store={"url": url}),
    )
    yield offices
    for office in offices:
        office.context.store.close()


def shape(path: Path) -> tuple[int, dict[str, list[tuple[str, int]]], list[str]]:
    """The schema's number; tables with their columns and keys; indices. However it is spelt."""
    with closing(sqlite3.connect(path)) as db:
        found = db.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
        columns = {
            name: [(row[1], row[5]) for row in db.execute(f"PRAGMA table_info({name})")]
            for kind, name, _ in found
            if kind == "table"
        }
        indices = sorted(" ".join(sql.split()) for kind, _, sql in found if kind == "index")
        return db.execute("PRAGMA user_version").fetchone()[0], columns, indices


@pytest.mark.parametrize("more", ["", "CREATE INDEX standing_overdue ON standing (dock_id) WHERE overdue = 1;"])
def test_a_store_of_the_first_version_becomes_what_a_new_one_is(tmp_path: Path, more: str) -> None:
    (tmp_path / "state").mkdir()
    path = tmp_path / "state" / "policy.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(f"{FIRST.read_text()} {log.SCHEMA} {more} PRAGMA user_version = 1;")
        db.execute("INSERT INTO meta VALUES ('a', 'b')")
        db.commit()
    office = open_office(tmp_path)
    assert office.context.store.get("a") == "b"
    office.announce(office.notice())
    office.classify("none")
    assert office.ask("officer", CLIP)["outcome"] == "released"
    office.context.store.close()
    new = open_office(tmp_path / "new")
    new.context.store.close()
    assert shape(path) == shape(tmp_path / "new" / "state" / "policy.sqlite")
    assert shape(path)[0] == tables.VERSION
    assert path.with_name("policy.sqlite.1.bak").exists()


def test_every_statement_finds_its_index(tmp_path: Path) -> None:
    """What runs every second must not read whole tables."""
    office = open_office(tmp_path)
    store = office.context.store
    seen: list[str] = []
    store.db.set_trace_callback(seen.append)  # type: ignore[attr-defined]
    office.tick()
    orders.repeat(office.context)
    store.attestations_about(CLIP, ["a", "b"])
    store.db.set_trace_callback(None)  # type: ignore[attr-defined]
    plans = {sql: store.db.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall() for sql in seen if sql.startswith("SELECT")}
    assert len(plans) >= 6
    whole = [sql for sql, plan in plans.items() if any("SCAN" in row[3] and "INDEX" not in row[3] for row in plan)]
    assert whole == []
    store.close()


def test_what_one_service_accepted_the_other_decides_on(two: tuple[Office, Office]) -> None:
    one, other = two
    one.announce(one.notice())
    other.classify("deadly")
    decision = one.ask("officer", CLIP)
    assert decision["outcome"] == "refused"
    assert other.told() == (True, None)
    assert one.decision("officer", decision["request_id"])["outcome"] == "released"
    (entry,) = one.log("released")
    assert other.log("released") == [entry]


def test_a_request_heard_by_both_is_decided_once(two: tuple[Office, Office]) -> None:
    one, other = two
    one.announce(one.notice())
    one.classify("none")
    request = st.Request(request_id="r", clip_id=CLIP, purpose="report", requested_at=one.clock.now())
    envelope = agency.signed(request, "officer")
    for office in (one, other, one):
        assert office.receive(envelope, "officer") == (True, None)
    assert len(one.log("released")) == 1 == len(one.orders(CLIP))


def test_a_fact_a_moment_ahead_counts_though_its_service_ends(two: tuple[Office, Office]) -> None:
    one, other = two
    one.announce(one.notice())
    one.classify("deadly")
    decision = one.ask("officer", CLIP)
    ahead = one.clock.now() + timedelta(seconds=3)
    fields = {"incident_id": "23-310001", "officer_id": "officer", "to": "internal_affairs", "form": "audio"}
    statement = st.OfficerStatement.model_validate(fields | {"given_at": ahead, "recording_sha256": "ab" * 32})
    assert one.attest(statement, "affairs") == (True, None)
    other.tick()
    assert other.decision("officer", decision["request_id"])["outcome"] == "refused"
    other.clock.turn(seconds=3)
    other.tick()
    assert other.decision("officer", decision["request_id"])["outcome"] == "released"


def test_a_trust_that_one_service_read_is_in_force_in_all(two: tuple[Office, Office], tmp_path: Path) -> None:
    one, other = two
    people = agency.trust_statement().plain()["people"]
    del people["officer"]
    newer = agency.trust(version=2, people=people)
    with one.context.store.transaction():
        one.context.store.add_trust(newer, agency.trust_bytes(version=2, people=people), "2023-11-29T22:00:00.000Z")
    root = tmp_path / "root.pem"
    root.write_text(agency.sign_pem("root"))
    enrolment = other.context.config.trust.model_copy(update={"root": root})
    other.context.config = other.context.config.model_copy(update={"trust": enrolment})
    with other.context.store.transaction():
        follow_trust(other.context)
    request = st.Request(request_id="r", clip_id=CLIP, purpose="report", requested_at=other.clock.now())
    accepted, reason = other.receive(agency.signed(request, "officer"), "officer")
    assert not accepted and "not enrolled" in str(reason)


@pytest.mark.parametrize("person", ["officer", random.Random(1).randbytes(30_000).hex()], ids=["short", "long"])
def test_whatever_strangers_write_is_refused_and_answered(office: Office, person: str) -> None:
    """PostgreSQL has no text with a null character, and no row of an index larger than a third of a page."""
    envelope = agency.signed(
        st.Request(request_id="r", clip_id=CLIP, purpose="report", requested_at=office.clock.now()), "officer"
    )
    context = office.context
    with context.store.transaction():
        attestations.receive(context, envelope.to_bytes(), person, "request", "0" * 64)
    assert sum(context.store.refusals().values()) == 1
    assert len(office.posted(context.topics.answer(person, envelope.digest))) == 1


@pytest.mark.parametrize(
    "url", ["mysql://x/y", "postgresql://u:secret@host/db", "postgresql://u@host/db?password=secret"]
)
def test_a_url_that_is_none_or_holds_a_password_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"expected sqlite, or postgresql|holds a password") as refused:
        open_office(tmp_path, store={"url": url})
    assert "secret" not in str(refused.value)


def test_the_schema_says_what_the_last_migration_leads_to() -> None:
    assert len(tables.STEPS["sqlite"]) == tables.VERSION - 1
    assert "pending" in tables.schema(sqlite.dialect())


def test_a_password_file_that_cannot_be_read(tmp_path: Path) -> None:
    settings = {"url": "postgresql://u@127.0.0.1:1/db", "password_file": "none"}
    base = {"agency": "a", "state": "s", "sign_key": "k", "open_key": "k", "trust": {"file": "t", "root": "r"}}
    config = check_config(
        PolicyConfig, base | {"broker": {"url": "mqtt://b"}, "store": settings}, base=tmp_path, what=""
    )
    with pytest.raises(ConfigurationError, match="password_file"):
        open_store(config)

"""The dock's database: what is kept along with every change."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from daemon.core.lifecycle import State
from daemon.custody.log import CustodyLog
from daemon.dock.store.dispatch import DispatchStore
from daemon.dock.store.replica import ReplicaStore
from daemon.dock.store.store import DockStore
from daemon.model.times import parse_instant
from tests.benchmarks.stores import fill, make_world

DOCUMENT = b'{"incidentComponent": [{"internalIncidentId": "I-1", "lastUpdateTimeStamp": "2020-01-01T00:00:00Z"}]}'


def test_the_tally_is_what_counting_would_give(tmp_path: Path) -> None:
    _, config = make_world(tmp_path)
    fill(config, 30)
    store = DockStore(config.state / "dock.sqlite")
    with store.transaction():
        for number, clip in enumerate(store.clips()):
            if number % 3:
                store.move(clip.clip_id, State.RELEASED if number % 3 == 1 else State.DISPOSED, 1000 + number)
            if number % 9 == 1:
                store.move(clip.clip_id, State.LOCKED, 2000 + number)
            store.mark_erased(clip.clip_id)
    for state in State:
        assert store.count(state) == len(store.clips(state)), state
    assert store.count(State.RELEASED) > 0
    store.close()


def test_sequences_taken_together_are_never_given_again(tmp_path: Path) -> None:
    store = DockStore(tmp_path / "dock.sqlite")
    assert [store.next_sequence(), *store.next_sequences(3), store.next_sequence()] == [1, 2, 3, 4, 5]
    store.close()


def test_a_clip_is_known_by_its_file_before_its_bytes(tmp_path: Path) -> None:
    _, config = make_world(tmp_path)
    fill(config, 2)
    store = DockStore(config.state / "dock.sqlite")
    by_file, by_bytes = store.clips()
    for clip in (by_file, by_bytes):
        store.db.execute("UPDATE clip SET camera_serial = 'cam-1', stem = 'a' WHERE clip_id = ?", (clip.clip_id,))

    def known(footage: str, clip_sha256: str | None) -> str | None:
        found = store.clip_of_file("cam-1", "a", footage, clip_sha256)
        return found.clip_id if found else None

    assert known(by_file.footage, by_bytes.clip_sha256) == by_file.clip_id
    assert known("another file", by_bytes.clip_sha256) == by_bytes.clip_id
    assert known("another file", None) is None
    assert store.is_known(by_file.clip_id)
    assert not store.is_known("another")
    store.close()


def test_a_store_that_an_earlier_version_left_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "dock.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.executescript((Path(__file__).parent / "store-schema-1.sql").read_text())
        clips = db.execute("SELECT clip_id FROM clip ORDER BY clip_id").fetchall()
        received = ("0" * 64, "2020-01-01T00:00:00.000Z", "2020-01-01T00:00:00.000Z", DOCUMENT)
        db.execute("INSERT INTO dispatch_document VALUES (?, ?, ?, ?)", received)
        db.commit()
    store = DockStore(path)
    assert sorted(clip.clip_id for clip in store.clips(State.LOCKED)) == [row[0] for row in clips]
    assert store.count(State.LOCKED) == len(clips) == CustodyLog(store.db, "bwc/portland/central-1", "central-1").size
    fresh = DockStore(tmp_path / "fresh.sqlite")
    CustodyLog(fresh.db, "bwc/portland/central-1", "central-1")
    DispatchStore(fresh.db)
    dispatch = DispatchStore(store.db)
    assert dispatch.digests_of({"I-1"}) == ("0" * 64,), "what was received is read again"
    assert dispatch.was_read_again
    for _ in range(2):
        dispatch.work_out_anew(set())
    assert schema(store) == schema(fresh), "upgraded or new, it is the same"
    assert path.with_name("dock.sqlite.1.bak").exists()
    store.close()
    fresh.close()


def test_from_schema_3_what_the_replica_holds_is_copied_anew(tmp_path: Path) -> None:
    _, config = make_world(tmp_path)
    fill(config, 4)
    path = config.state / "dock.sqlite"
    fresh = DockStore(path)
    before = {one for one in schema(fresh) if "dispatch" not in one}
    fresh.db.executescript(
        "ALTER TABLE replica ADD COLUMN statements TEXT NOT NULL DEFAULT ''; PRAGMA user_version = 3;"
    )
    fresh.set("replica_change", "7")
    fresh.db.execute(
        "INSERT INTO replica SELECT clip_id, ingested_at, 0, 'keys' FROM clip ORDER BY ingested_at LIMIT 3"
    )
    held = [row[0] for row in fresh.db.execute("SELECT clip_id FROM replica ORDER BY ingested_at, clip_id")]
    fresh.db.execute("INSERT INTO to_replicate VALUES (?, 7, 7, '2020-01-01T00:00:00.000Z')", (held[0],))
    fresh.close()
    store = DockStore(path)
    assert {one for one in schema(store) if "dispatch" not in one} == before
    replica, cursor, found = ReplicaStore(store), 0, []
    while (wanted := replica.next_job(cursor)) is not None:
        cursor = wanted.turn
        found.append((wanted.clip.clip_id, wanted.held))
    assert found == [(clip_id, True) for clip_id in held]
    replica.want(found[0][0], "2026-01-01T00:00:00.000Z")
    assert int(store.get("replica_change") or 0) > cursor, "no turn is given twice"
    store.close()


OLD = b"""{"incidentComponent": [{"internalIncidentId": "I-1", "lastUpdateTimeStamp": "2020-01-01T00:00:00Z"}],
"mergeComponent": [{"incidentMergeDirectionCode": "REPLACING", "incidentTrackingIdentifier": "I-2"}],
"emergencyResourceComponent": [{"$id": "711", "agentReference": ["51234"],
"lastUpdateTimeStamp": "2020-01-01T00:00:00Z", "secondaryUnitStatusRegistryText": "Dispatched"}]}"""
NEW = OLD.replace(b'"I-1"', b'"I-2"').replace(b"Dispatched", b"Cleared").replace(b"00:00:00Z", b"01:00:00Z")
SCHEMA_4 = """
DROP TABLE dispatch_unknown; DROP TABLE dispatch_assignment; DROP INDEX clip_by_time;
CREATE TABLE dispatch_assignment (
  incident_id TEXT, unit_id TEXT, officer_id TEXT, dispatched_at TEXT, cleared_at TEXT, incident_type TEXT NOT NULL,
  matched_by TEXT NOT NULL, PRIMARY KEY (incident_id, unit_id, officer_id, dispatched_at)
) WITHOUT ROWID;
INSERT INTO dispatch_assignment VALUES
  ('I-1', '711', '51234', '2020-01-01T00:00:00.000Z', NULL, 'unknown', 'officer');
DROP TABLE dispatch_set_aside;
CREATE TABLE dispatch_set_aside (
  digest TEXT PRIMARY KEY, source TEXT NOT NULL, at TEXT NOT NULL, reason TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO dispatch_set_aside VALUES ('f', 'file x', '2020-01-01T00:00:00.000Z', 'no JSON');
DROP TABLE dispatch_about; DROP TABLE dispatch_tracking; DROP TABLE dispatch_merge;
CREATE TABLE dispatch_about (incident_id TEXT, digest TEXT, PRIMARY KEY (incident_id, digest)) WITHOUT ROWID;
CREATE TABLE dispatch_merge (
  incident_id TEXT, direction TEXT, other_id TEXT, said_on TEXT NOT NULL, PRIMARY KEY (incident_id, direction, other_id)
) WITHOUT ROWID;
PRAGMA user_version = 4;
"""


def test_from_schema_4_dispatch_documents_are_read_again_and_worked_out_anew(tmp_path: Path) -> None:
    path = tmp_path / "dock.sqlite"
    store = DockStore(path)
    CustodyLog(store.db, "bwc/portland/central-1", "central-1")
    DispatchStore(store.db)
    before = schema(store)
    for name, data in (("1", OLD), ("2", NEW.replace(b"REPLACING", b"SPLIT"))):
        stamp = "2020-01-01T02:00:00.000Z"
        store.db.execute("INSERT INTO dispatch_document VALUES (?, ?, ?, ?)", (name * 64, stamp, stamp, data))
    store.db.executescript(SCHEMA_4)
    store.close()
    for opened in range(2):  # the first time it is stopped before anything is worked out
        store = DockStore(path)
        dispatch = DispatchStore(store.db)
        assert dispatch.was_read_again
        if opened == 0:
            store.close()
    assert {officer for officer, _ in dispatch.work_out_anew({"51234"})} == {"51234"}
    assert dispatch.was_read_again, "until there is no more"
    assert dispatch.work_out_anew({"51234"}) == []
    (found,) = dispatch.of_officer("51234", parse_instant("2019-12-31T00:00:00.000Z"), parse_instant(stamp))
    assert found.cleared_at == parse_instant("2020-01-01T01:00:00.000Z"), "the merge is read the right way round"
    assert schema(store) == before
    assert dispatch.unclear.set_aside_rows() == [("file x", "no JSON")]
    assert not DispatchStore(store.db).was_read_again
    store.close()


def schema(store: DockStore) -> set[str]:
    return {" ".join(row[0].split()) for row in store.db.execute("SELECT sql FROM sqlite_master WHERE sql NOT NULL")}

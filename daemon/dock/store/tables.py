"""The dock's database as SQL: its tables, and the steps from each older schema to the next.

The tables of dispatch stand with their questions (daemon.dock.store.dispatch, dispatch_history), custody's with its
log (daemon.custody.log).
"""

from __future__ import annotations

VERSION = 5
REPLICA_TABLES = """
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
TABLES = """
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
CREATE INDEX clip_by_time ON clip (started_at) WHERE started_at IS NOT NULL;
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
TO_READ = "dispatch_to_read"
"""Documents that are to be read again. It is there, perhaps empty, until everything is worked out from them anew."""
_TO_5 = """
CREATE TABLE dispatch_to_read (
  digest TEXT PRIMARY KEY, received_at TEXT NOT NULL, as_of TEXT NOT NULL, body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS dispatch_document (
  digest TEXT PRIMARY KEY, received_at TEXT NOT NULL, as_of TEXT NOT NULL, body BLOB NOT NULL
);
INSERT INTO dispatch_to_read SELECT digest, received_at, as_of, body FROM dispatch_document;
DROP TABLE dispatch_document;
DROP TABLE IF EXISTS dispatch_about;
DROP TABLE IF EXISTS dispatch_incident;
DROP TABLE IF EXISTS dispatch_status;
DROP TABLE IF EXISTS dispatch_named;
DROP TABLE IF EXISTS dispatch_merge;
CREATE TABLE IF NOT EXISTS dispatch_set_aside (
  digest TEXT PRIMARY KEY, source TEXT NOT NULL, at TEXT NOT NULL, reason TEXT NOT NULL
) WITHOUT ROWID;
ALTER TABLE dispatch_set_aside RENAME TO dispatch_set_aside_4;
CREATE TABLE dispatch_set_aside (
  digest TEXT, part INTEGER, source TEXT NOT NULL, at TEXT NOT NULL, about_from TEXT NOT NULL,
  about_until TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (digest, part)
) WITHOUT ROWID;
INSERT INTO dispatch_set_aside SELECT digest, 0, source, at, at, at, reason FROM dispatch_set_aside_4;
DROP TABLE dispatch_set_aside_4;
CREATE TABLE IF NOT EXISTS dispatch_assignment (
  incident_id TEXT, unit_id TEXT, officer_id TEXT, dispatched_at TEXT, cleared_at TEXT, incident_type TEXT NOT NULL,
  matched_by TEXT NOT NULL, PRIMARY KEY (incident_id, unit_id, officer_id, dispatched_at)
) WITHOUT ROWID;
ALTER TABLE dispatch_assignment RENAME TO dispatch_assignment_4;
DROP INDEX IF EXISTS dispatch_assignment_officer;
CREATE TABLE dispatch_assignment (
  incident_id TEXT, unit_id TEXT, officer_id TEXT, dispatched_at TEXT, cleared_at TEXT, incident_type TEXT NOT NULL,
  matched_by TEXT NOT NULL, cancelled INTEGER NOT NULL, PRIMARY KEY (incident_id, unit_id, officer_id, dispatched_at)
) WITHOUT ROWID;
INSERT INTO dispatch_assignment
  SELECT incident_id, unit_id, officer_id, dispatched_at, cleared_at, incident_type, matched_by, 0
  FROM dispatch_assignment_4;
DROP TABLE dispatch_assignment_4;
CREATE INDEX IF NOT EXISTS clip_by_time ON clip (started_at) WHERE started_at IS NOT NULL;
"""
"""What documents say is kept in another form; daemon.dock.store.dispatch reads them again."""
STEPS = (
    "CREATE TABLE erasing (clip_id TEXT PRIMARY KEY) WITHOUT ROWID;",
    f"{REPLICA_TABLES} ALTER TABLE replica ADD COLUMN statements TEXT NOT NULL DEFAULT '';",
    _TO_4,
    _TO_5,
)
"""From each schema to the next, from the oldest still understood."""

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE trust (version INTEGER PRIMARY KEY, envelope BLOB NOT NULL, since TEXT NOT NULL);
CREATE TABLE attestation (
  digest TEXT PRIMARY KEY, kind TEXT NOT NULL, signer TEXT NOT NULL, received_at TEXT NOT NULL,
  trust_version INTEGER NOT NULL, incident_id TEXT, clip_id TEXT, officer_id TEXT,
  withdrawn INTEGER NOT NULL DEFAULT 0, envelope BLOB NOT NULL
);
CREATE INDEX attestation_of_incident ON attestation (incident_id, kind);
CREATE INDEX attestation_of_clip ON attestation (clip_id, kind);
CREATE TABLE clip (
  dock_id TEXT, clip_id TEXT, sequence INTEGER NOT NULL, previous INTEGER NOT NULL, officer_id TEXT NOT NULL,
  seal_sha256 TEXT NOT NULL, capture_sha256 TEXT, tag_sha256 TEXT NOT NULL, clip_sha256 TEXT NOT NULL,
  integrity TEXT NOT NULL, recorded_at TEXT NOT NULL, disposed INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (dock_id, clip_id)
) WITHOUT ROWID;
CREATE INDEX clip_by_id ON clip (clip_id);
CREATE INDEX clip_by_age ON clip (recorded_at) WHERE disposed = 0;
CREATE INDEX clip_by_sequence ON clip (dock_id, sequence);
CREATE TABLE clip_incident (clip_id TEXT, incident_id TEXT, PRIMARY KEY (clip_id, incident_id)) WITHOUT ROWID;
CREATE INDEX incident_clip ON clip_incident (incident_id);
CREATE TABLE dock (dock_id TEXT PRIMARY KEY, through INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE request (
  digest TEXT PRIMARY KEY, person_id TEXT NOT NULL, clip_id TEXT NOT NULL, state TEXT NOT NULL, answer TEXT,
  opened_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX request_of_clip ON request (clip_id, state);
CREATE INDEX request_by_state ON request (state, opened_at);
CREATE TABLE release_order (
  order_id TEXT PRIMARY KEY, request TEXT NOT NULL, dock_id TEXT NOT NULL, clip_id TEXT NOT NULL,
  person_id TEXT NOT NULL, expires_at TEXT NOT NULL, state TEXT NOT NULL, listed INTEGER NOT NULL,
  envelope BLOB NOT NULL
);
CREATE INDEX order_of_clip ON release_order (clip_id, state);
CREATE INDEX order_by_state ON release_order (state, expires_at);
CREATE INDEX order_unlisted ON release_order (order_id) WHERE listed = 0;
CREATE TABLE decision (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, request TEXT NOT NULL, clip_id TEXT NOT NULL,
  person_id TEXT NOT NULL, regime TEXT NOT NULL, regime_sha256 TEXT NOT NULL, trust_version INTEGER NOT NULL,
  facts TEXT NOT NULL, answer TEXT NOT NULL
);
CREATE TABLE standing (
  dock_id TEXT, clip_id TEXT, fingerprint TEXT NOT NULL, due TEXT, overdue INTEGER NOT NULL,
  PRIMARY KEY (dock_id, clip_id)
) WITHOUT ROWID;
CREATE INDEX standing_due ON standing (due) WHERE overdue = 0 AND due IS NOT NULL;
CREATE TABLE answer (digest TEXT PRIMARY KEY, reason TEXT) WITHOUT ROWID;
CREATE TABLE refusal (kind TEXT, error TEXT, count INTEGER NOT NULL, PRIMARY KEY (kind, error)) WITHOUT ROWID;
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, payload BLOB NOT NULL, retain INTEGER NOT NULL
);
CREATE INDEX outbox_topic ON outbox (topic);

-- The schema of an embedded database. Every governed kind has a table of the same shape; the body is the
-- entity's JSON. STRICT, so that a column holds what it says; WITHOUT ROWID, so that a key is one look-up.

CREATE TABLE organization (stream BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, created_at INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id)) STRICT, WITHOUT ROWID;
CREATE TABLE account (stream BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, created_at INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id)) STRICT, WITHOUT ROWID;
CREATE TABLE membership (stream BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, created_at INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id)) STRICT, WITHOUT ROWID;
CREATE TABLE role (stream BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, created_at INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id)) STRICT, WITHOUT ROWID;
CREATE TABLE role_assignment (stream BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, created_at INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id)) STRICT, WITHOUT ROWID;
CREATE TABLE agent (stream BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, created_at INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id)) STRICT, WITHOUT ROWID;
CREATE TABLE secret (stream BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, created_at INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id)) STRICT, WITHOUT ROWID;
CREATE TABLE api_token (stream BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, created_at INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id)) STRICT, WITHOUT ROWID;
CREATE TABLE connection (stream BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, created_at INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id)) STRICT, WITHOUT ROWID;
CREATE TABLE run (stream BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, created_at INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id)) STRICT, WITHOUT ROWID;
CREATE TABLE trust_event (stream BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, created_at INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id)) STRICT, WITHOUT ROWID;
CREATE TABLE kill_switch (stream BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, created_at INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id)) STRICT, WITHOUT ROWID;
CREATE TABLE settings (stream BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, created_at INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id)) STRICT, WITHOUT ROWID;
CREATE TABLE signing_key (stream BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, created_at INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id)) STRICT, WITHOUT ROWID;
CREATE TABLE subject_key (stream BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, created_at INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id)) STRICT, WITHOUT ROWID;
CREATE TABLE revocation (stream BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, created_at INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id)) STRICT, WITHOUT ROWID;
CREATE TABLE setup_secret (stream BLOB NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL, created_at INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id)) STRICT, WITHOUT ROWID;

-- Unique names and what is found by them.
CREATE TABLE claim (stream BLOB NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL, id BLOB NOT NULL, PRIMARY KEY (stream, kind, value)) STRICT, WITHOUT ROWID;
-- One-time artefacts that were consumed.
CREATE TABLE once (stream BLOB NOT NULL, kind TEXT NOT NULL, hash BLOB NOT NULL, expires_at INTEGER NOT NULL, PRIMARY KEY (stream, kind, hash)) STRICT, WITHOUT ROWID;
CREATE INDEX once_expires ON once (expires_at);
-- Answers to requests that carried an idempotency key.
CREATE TABLE idempotency (stream BLOB NOT NULL, key BLOB NOT NULL, body_digest BLOB NOT NULL, answer TEXT NOT NULL, expires_at INTEGER NOT NULL, PRIMARY KEY (stream, key)) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_expires ON idempotency (expires_at);
-- Facts about the instance, each written once.
CREATE TABLE instance_meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
-- When a credential was last used.
CREATE TABLE credential_use (stream BLOB NOT NULL, key_id TEXT NOT NULL, last_used_at INTEGER NOT NULL, PRIMARY KEY (stream, key_id)) STRICT, WITHOUT ROWID;

-- Where each stream stands; `frontier` is the right edge of its Merkle tree.
CREATE TABLE stream_head (stream BLOB NOT NULL PRIMARY KEY, seq INTEGER NOT NULL, state_rev INTEGER NOT NULL, authority_rev INTEGER NOT NULL, hash BLOB NOT NULL, time INTEGER NOT NULL, frontier BLOB NOT NULL) STRICT, WITHOUT ROWID;
-- What nodes follow. `changes` is a JSON array.
CREATE TABLE change_feed (stream BLOB NOT NULL, state_rev INTEGER NOT NULL, seq INTEGER NOT NULL, changes TEXT NOT NULL, PRIMARY KEY (stream, state_rev)) STRICT, WITHOUT ROWID;
-- Signed checkpoints.
CREATE TABLE checkpoint (stream BLOB NOT NULL, size INTEGER NOT NULL, time INTEGER NOT NULL, note TEXT NOT NULL, PRIMARY KEY (stream, size, time)) STRICT, WITHOUT ROWID;

-- The log, in the order in which it was written. `event_id` has no index: it is looked for from a known `seq` on.
CREATE TABLE audit_events (
    position INTEGER PRIMARY KEY,
    stream BLOB NOT NULL,
    seq INTEGER NOT NULL,
    time INTEGER NOT NULL,
    event_id BLOB NOT NULL,
    state_rev INTEGER,
    type TEXT NOT NULL,
    actor TEXT NOT NULL,
    resource TEXT,
    agent BLOB,
    lineage BLOB,
    expires_at INTEGER,
    body BLOB NOT NULL,
    hash BLOB NOT NULL,
    UNIQUE (stream, seq)
) STRICT;
CREATE INDEX audit_events_tokens ON audit_events (stream, agent, expires_at) WHERE agent IS NOT NULL;

-- What is appended stays as it is.
CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events BEGIN SELECT RAISE(ABORT, 'audit_events is append-only: UPDATE is refused'); END;
CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events BEGIN SELECT RAISE(ABORT, 'audit_events is append-only: DELETE is refused'); END;
CREATE TRIGGER change_feed_no_update BEFORE UPDATE ON change_feed BEGIN SELECT RAISE(ABORT, 'change_feed is append-only: UPDATE is refused'); END;
CREATE TRIGGER change_feed_no_delete BEFORE DELETE ON change_feed BEGIN SELECT RAISE(ABORT, 'change_feed is append-only: DELETE is refused'); END;
CREATE TRIGGER checkpoint_no_update BEFORE UPDATE ON checkpoint BEGIN SELECT RAISE(ABORT, 'checkpoint is append-only: UPDATE is refused'); END;
CREATE TRIGGER checkpoint_no_delete BEFORE DELETE ON checkpoint BEGIN SELECT RAISE(ABORT, 'checkpoint is append-only: DELETE is refused'); END;

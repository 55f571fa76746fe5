-- The schema on PostgreSQL 15 or newer. Every governed kind has a table of the same shape; the body is the
-- entity's JSON, as text, because it is read back as it was written.

CREATE TABLE organization (stream BYTEA NOT NULL, id BYTEA NOT NULL, version BIGINT NOT NULL, created_at BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id));
CREATE TABLE account (stream BYTEA NOT NULL, id BYTEA NOT NULL, version BIGINT NOT NULL, created_at BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id));
CREATE TABLE membership (stream BYTEA NOT NULL, id BYTEA NOT NULL, version BIGINT NOT NULL, created_at BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id));
CREATE TABLE role (stream BYTEA NOT NULL, id BYTEA NOT NULL, version BIGINT NOT NULL, created_at BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id));
CREATE TABLE role_assignment (stream BYTEA NOT NULL, id BYTEA NOT NULL, version BIGINT NOT NULL, created_at BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id));
CREATE TABLE agent (stream BYTEA NOT NULL, id BYTEA NOT NULL, version BIGINT NOT NULL, created_at BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id));
CREATE TABLE secret (stream BYTEA NOT NULL, id BYTEA NOT NULL, version BIGINT NOT NULL, created_at BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id));
CREATE TABLE api_token (stream BYTEA NOT NULL, id BYTEA NOT NULL, version BIGINT NOT NULL, created_at BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id));
CREATE TABLE connection (stream BYTEA NOT NULL, id BYTEA NOT NULL, version BIGINT NOT NULL, created_at BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id));
CREATE TABLE run (stream BYTEA NOT NULL, id BYTEA NOT NULL, version BIGINT NOT NULL, created_at BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id));
CREATE TABLE trust_event (stream BYTEA NOT NULL, id BYTEA NOT NULL, version BIGINT NOT NULL, created_at BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id));
CREATE TABLE kill_switch (stream BYTEA NOT NULL, id BYTEA NOT NULL, version BIGINT NOT NULL, created_at BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id));
CREATE TABLE settings (stream BYTEA NOT NULL, id BYTEA NOT NULL, version BIGINT NOT NULL, created_at BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id));
CREATE TABLE signing_key (stream BYTEA NOT NULL, id BYTEA NOT NULL, version BIGINT NOT NULL, created_at BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id));
CREATE TABLE subject_key (stream BYTEA NOT NULL, id BYTEA NOT NULL, version BIGINT NOT NULL, created_at BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id));
CREATE TABLE revocation (stream BYTEA NOT NULL, id BYTEA NOT NULL, version BIGINT NOT NULL, created_at BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id));
CREATE TABLE setup_secret (stream BYTEA NOT NULL, id BYTEA NOT NULL, version BIGINT NOT NULL, created_at BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, id));

-- Unique names and what is found by them.
CREATE TABLE claim (stream BYTEA NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL, id BYTEA NOT NULL, PRIMARY KEY (stream, kind, value));
-- One-time artefacts that were consumed.
CREATE TABLE once (stream BYTEA NOT NULL, kind TEXT NOT NULL, hash BYTEA NOT NULL, expires_at BIGINT NOT NULL, PRIMARY KEY (stream, kind, hash));
CREATE INDEX once_expires ON once (expires_at);
-- Answers to requests that carried an idempotency key.
CREATE TABLE idempotency (stream BYTEA NOT NULL, key BYTEA NOT NULL, body_digest BYTEA NOT NULL, answer TEXT NOT NULL, expires_at BIGINT NOT NULL, PRIMARY KEY (stream, key));
CREATE INDEX idempotency_expires ON idempotency (expires_at);
-- Facts about the instance, each written once.
CREATE TABLE instance_meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
-- When a credential was last used.
CREATE TABLE credential_use (stream BYTEA NOT NULL, key_id TEXT NOT NULL, last_used_at BIGINT NOT NULL, PRIMARY KEY (stream, key_id));

-- Where each stream stands; `frontier` is the right edge of its Merkle tree.
CREATE TABLE stream_head (stream BYTEA NOT NULL PRIMARY KEY, seq BIGINT NOT NULL, state_rev BIGINT NOT NULL, authority_rev BIGINT NOT NULL, hash BYTEA NOT NULL, time BIGINT NOT NULL, frontier BYTEA NOT NULL);
-- What nodes follow. `changes` is a JSON array.
CREATE TABLE change_feed (stream BYTEA NOT NULL, state_rev BIGINT NOT NULL, seq BIGINT NOT NULL, changes TEXT NOT NULL, PRIMARY KEY (stream, state_rev));
-- Signed checkpoints.
CREATE TABLE checkpoint (stream BYTEA NOT NULL, size BIGINT NOT NULL, time BIGINT NOT NULL, note TEXT NOT NULL, PRIMARY KEY (stream, size, time));

-- The log. `event_id` has no index: it is looked for from a known `seq` on.
CREATE TABLE audit_events (
    stream BYTEA NOT NULL,
    seq BIGINT NOT NULL,
    time BIGINT NOT NULL,
    event_id BYTEA NOT NULL,
    state_rev BIGINT,
    type TEXT NOT NULL,
    actor TEXT NOT NULL,
    resource TEXT,
    agent BYTEA,
    lineage BYTEA,
    expires_at BIGINT,
    body BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (stream, seq)
);
CREATE INDEX audit_events_tokens ON audit_events (stream, agent, expires_at) WHERE agent IS NOT NULL;

-- What is appended stays as it is. For each statement, so that even one that finds no row is refused.
CREATE FUNCTION cardea_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;
END $$;
CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events FOR EACH STATEMENT EXECUTE FUNCTION cardea_append_only();
CREATE TRIGGER change_feed_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON change_feed FOR EACH STATEMENT EXECUTE FUNCTION cardea_append_only();
CREATE TRIGGER checkpoint_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoint FOR EACH STATEMENT EXECUTE FUNCTION cardea_append_only();

-- Row-level security, against the statement that forgets its stream. The setting is the stream in hexadecimal;
-- absent or empty it matches nothing. FORCE binds the owner of the tables too.
DO $$
DECLARE
    wanted TEXT;
    own CONSTANT TEXT := 'stream = (SELECT decode(current_setting(''cardea.stream'', true), ''hex'')) OR stream = decode(repeat(''00'', 16), ''hex'')';
BEGIN
    FOR wanted IN SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND a.attname = 'stream' AND NOT a.attisdropped
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', wanted);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', wanted);
        EXECUTE format('CREATE POLICY tenant ON %I TO cardea_tenant USING (%s) WITH CHECK (%s)', wanted, own, own);
        EXECUTE format('CREATE POLICY node ON %I TO cardea_node USING (true)', wanted);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO cardea_tenant', wanted);
        EXECUTE format('GRANT SELECT ON %I TO cardea_node', wanted);
        IF wanted NOT IN ('audit_events', 'change_feed', 'checkpoint') THEN
            EXECUTE format('GRANT UPDATE, DELETE ON %I TO cardea_tenant', wanted);
        END IF;
    END LOOP;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO cardea_tenant, cardea_node, cardea_appender', current_schema());
END $$;

GRANT SELECT ON instance_meta TO cardea_tenant, cardea_node;
-- The node keeps operational rows and forgets what has ended.
GRANT INSERT, UPDATE ON credential_use TO cardea_node;
GRANT DELETE ON once, idempotency TO cardea_node;

-- The appender writes record entries of every stream and nothing else.
CREATE POLICY appender ON audit_events FOR INSERT TO cardea_appender WITH CHECK (true);
CREATE POLICY appender ON once TO cardea_appender USING (true);
CREATE POLICY appender ON stream_head TO cardea_appender USING (true);
GRANT INSERT ON audit_events TO cardea_appender;
GRANT INSERT ON once TO cardea_appender;
GRANT SELECT (stream, kind, hash) ON once TO cardea_appender;
GRANT SELECT, INSERT, UPDATE ON stream_head TO cardea_appender;

-- Several nodes on one database. Expands only: a build that knows the schema before goes on beside it.

-- The oldest schema whose builds can work beside this step, so that an older build can tell what it does not know.
ALTER TABLE schema_migration ADD COLUMN beside BIGINT;

-- In which transaction a revision was written: a node asks for those that its last look could not see, of every
-- stream at once. Filled by the database, so that a build that does not know the column fills it too.
ALTER TABLE change_feed ADD COLUMN xid XID8;
ALTER TABLE change_feed ALTER COLUMN xid SET DEFAULT pg_current_xact_id();
CREATE INDEX change_feed_xid ON change_feed (xid) WHERE xid IS NOT NULL;

-- Which histories this database went through: the first, and one more each time it was restored or promoted.
CREATE TABLE epoch (number BIGINT NOT NULL PRIMARY KEY, identity TEXT NOT NULL, since BIGINT NOT NULL);
GRANT SELECT ON epoch TO cardea_tenant, cardea_node;
GRANT INSERT ON epoch TO cardea_node;

-- The few people whom every node must know; the others' rows are read by nobody at a start.
CREATE INDEX account_administers ON account (stream, id) WHERE strpos(body, '"instance_administrator":true') > 0;

-- The processes at work; times by the database's clock.
CREATE TABLE node (id BYTEA NOT NULL PRIMARY KEY, name TEXT NOT NULL, build TEXT NOT NULL, schema BIGINT NOT NULL, started_at BIGINT NOT NULL, beat_at BIGINT NOT NULL);
GRANT SELECT, INSERT, UPDATE, DELETE ON node TO cardea_node;

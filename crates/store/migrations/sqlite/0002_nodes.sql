-- What a node follows and what it stands on. Expands only: a build that knows the schema before goes on beside it.

-- The oldest schema whose builds can work beside this step, so that an older build can tell what it does not know.
ALTER TABLE schema_migration ADD COLUMN beside INTEGER;

-- The entries that moved state, in the order in which they were written: all streams are followed at once.
CREATE INDEX audit_events_moved ON audit_events (position) WHERE state_rev IS NOT NULL;

-- The few people whom every node must know; the others' rows are read by nobody at a start.
CREATE INDEX account_administers ON account (stream, id) WHERE instr(body, '"instance_administrator":true') > 0;

-- Which histories this database went through: the first, and one more each time it was restored.
CREATE TABLE epoch (number INTEGER NOT NULL PRIMARY KEY, identity TEXT NOT NULL, since INTEGER NOT NULL) STRICT;

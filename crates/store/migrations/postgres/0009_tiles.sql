-- Tiles of the logs' trees (C2SP tlog-tiles): 256 neighbouring hashes, 32 bytes each. Made from the entries and
-- never believed against them.
CREATE TABLE log_tile (stream BYTEA NOT NULL, level BIGINT NOT NULL, tile BIGINT NOT NULL, hashes BYTEA NOT NULL, PRIMARY KEY (stream, level, tile));
ALTER TABLE log_tile ENABLE ROW LEVEL SECURITY;
ALTER TABLE log_tile FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON log_tile TO cardea_tenant
    USING (stream = (SELECT decode(current_setting('cardea.stream', true), 'hex')))
    WITH CHECK (stream = (SELECT decode(current_setting('cardea.stream', true), 'hex')));
GRANT SELECT, INSERT, UPDATE, DELETE ON log_tile TO cardea_tenant;
